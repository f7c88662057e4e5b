"""What XMP says of things that are not written again: they are taken out of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.dom import XMLNS_NAMESPACE, minidom
from xml.parsers.expat import ExpatError

ANNOUNCED = "http://ns.adobe.com/xmp/note/"
# What lies behind a picture, or in XMP itself, by namespace; where names are given, of these alone
GONE: dict[str, tuple[str, tuple[str, ...]]] = {
    "http://ns.adobe.com/hdr-gain-map/1.0/": ("gain map", ()),
    "http://ns.apple.com/HDRGainMap/1.0/": ("gain map", ()),
    "http://ns.apple.com/pixeldatainfo/1.0/": ("gain map", ()),
    "http://ns.google.com/photos/1.0/container/": ("", ()),
    "http://ns.google.com/photos/1.0/container/item/": ("", ()),
    "http://ns.google.com/photos/1.0/camera/": ("film", ("Motion", "MicroVideo")),
    "http://ns.google.com/photos/1.0/depthmap/": ("depth map", ()),
    "http://ns.google.com/photos/1.0/image/": ("second picture", ()),
    "http://ns.google.com/photos/1.0/audio/": ("sound", ()),
    "http://ns.adobe.com/xap/1.0/": ("thumbnail", ("Thumbnails",)),
    ANNOUNCED: ("", ("HasExtendedXMP",)),
}
PLURALS = ("layers", "small copies", "content credentials")
MARKERS = (*(namespace.encode() for namespace in GONE if "xap" not in namespace), b"Thumbnails")


def without_gone(xmp: bytes, extended: bool = False) -> tuple[bytes, list[str]]:
    """Takes out what announces, or holds, a thumbnail, a gain map, a film or another picture.

    Args:
        xmp: As a file holds it.
        extended: Whether the longer rest of it is kept, so that it may still be announced.

    Returns:
        The XMP, to the byte as it was where it holds none, and what was taken out, each a word or two. It is empty
        where it cannot be read.
    """
    if not any(marker in xmp for marker in MARKERS):
        return xmp, []
    try:
        document = minidom.parseString(xmp.strip(b"\0 \r\n\t\xef\xbb\xbf"))
    except (ExpatError, ValueError):
        return b"", ["XMP"]
    words = list(_taken_out(document, extended))
    if not words:
        return xmp, []
    gone = dict.fromkeys(word for word in words if word)
    text = "".join(node.toxml() for node in document.childNodes)
    return text.encode("utf-8", "replace"), list(gone)


def left_out(words: Iterable[str]) -> list[str]:
    """Says of each thing that was taken out, a word or two, that it was; of one that comes twice once."""
    return [f"its {word} {'were' if word in PLURALS else 'was'} left out" for word in dict.fromkeys(words)]


def _taken_out(parent: minidom.Document | minidom.Element, extended: bool) -> Iterator[str]:
    for node in [child for child in parent.childNodes if isinstance(child, minidom.Element)]:
        word = _word(node, extended)
        if word is not None:
            parent.removeChild(node)
            yield word
            continue
        for attribute in list(node.attributes.values()):
            word = _word(attribute, extended)
            if word is not None:
                node.removeAttributeNode(attribute)
                yield word
        yield from _taken_out(node, extended)


def _word(node: minidom.Element | minidom.Attr, extended: bool) -> str | None:
    """Returns what goes with a node, which may be nothing to tell; None for one that stays."""
    space = node.namespaceURI or ""
    if space == XMLNS_NAMESPACE:  # the declaration of a namespace
        return "" if node.nodeValue in GONE and not GONE[node.nodeValue][1] else None
    if space not in GONE or (extended and space == ANNOUNCED):
        return None
    word, names = GONE[space]
    return word if not names or (node.localName or "").startswith(names) else None
