"""Figures that marks have beside texts and logos, as coverage: (h, w) uint8; deterministic."""

from __future__ import annotations

import cv2
import numpy as np

from wm_lightning.data.synthesis.art import PlateForm
from wm_lightning.data.synthesis.lettering import Plane

SUBPIXEL_BITS = 4  # OpenCV takes coordinates in sixteenths of a pixel
WAIST = 0.55  # exponent of a sparkle's edge: |x|^p + |y|^p = 1; 1 would be a diamond
FINDER = 7  # modules of a code's three squares
ROUND = 0.22  # radius of a rounded plate's corners, as a share of its shorter side


def sparkle(side: int) -> Plane:
    """Draws a star of four points whose edges bend inwards."""
    turn = np.linspace(0, 2 * np.pi, 81)[:-1]
    x, y = (np.sign(wave) * np.abs(wave) ** (2 / WAIST) for wave in (np.cos(turn), np.sin(turn)))
    corners = (np.stack([x, y], axis=1) + 1) / 2 * (side - 1) * (1 << SUBPIXEL_BITS)
    plane = np.zeros((side, side), dtype=np.uint8)
    cv2.fillPoly(plane, [corners.round().astype(np.int32)], 255, cv2.LINE_AA, SUBPIXEL_BITS)
    return plane


def code(seed: int, modules: int, side: int) -> Plane:
    """Draws the dark modules of a code; ``side`` is rounded to whole pixels a module, at least one."""
    dark = np.random.default_rng(seed).random((modules, modules)) < 0.5
    finder = np.zeros((FINDER, FINDER), dtype=bool)
    finder[[0, -1]] = finder[:, [0, -1]] = finder[2:-2, 2:-2] = True
    for rows, columns in ((0, 0), (0, modules - FINDER), (modules - FINDER, 0)):
        # A light module lies around each finder.
        dark[max(0, rows - 1) : rows + FINDER + 1, max(0, columns - 1) : columns + FINDER + 1] = False
        dark[rows : rows + FINDER, columns : columns + FINDER] = finder
    pixels = max(1, round(side / modules))
    drawn: Plane = np.where(dark, np.uint8(255), np.uint8(0))
    return drawn.repeat(pixels, axis=0).repeat(pixels, axis=1)


def plate(form: PlateForm, height: int, width: int) -> Plane:
    """Draws a filled plate that touches all four sides; a circle of unequal sides is an ellipse."""
    plane = np.zeros((height, width), dtype=np.uint8)
    if form == "square":
        plane[...] = 255
        return plane
    radius = min(height, width) / 2 * (1 if form != "rounded" else 2 * ROUND)
    one = 1 << SUBPIXEL_BITS
    if form == "circle":
        middle = round((width - 1) / 2 * one), round((height - 1) / 2 * one)
        axes = max(1, round((width - 1) / 2 * one)), max(1, round((height - 1) / 2 * one))
        cv2.ellipse(plane, middle, axes, 0, 0, 360, 255, -1, cv2.LINE_AA, SUBPIXEL_BITS)
        return plane
    reach = round(radius)
    plane[reach : height - reach] = 255
    plane[:, reach : width - reach] = 255
    for x in (radius - 0.5, width - radius - 0.5):
        for y in (radius - 0.5, height - radius - 0.5):
            middle = round(x * one), round(y * one)
            cv2.circle(plane, middle, max(1, round((radius - 0.5) * one)), 255, -1, cv2.LINE_AA, SUBPIXEL_BITS)
    return plane


def net(lines: str, height: int, width: int, thickness: int) -> Plane:
    """Draws the lines of a cell, which meet those of the next one: from corner to corner, or along two edges."""
    plane = np.zeros((height, width), dtype=np.uint8)
    if lines == "grid":
        plane[:thickness] = 255
        plane[:, :thickness] = 255
    elif lines == "cross":
        for start, end in (((0, 0), (width, height)), ((0, height), (width, 0))):
            cv2.line(plane, start, end, 255, thickness, cv2.LINE_AA)
    return plane
