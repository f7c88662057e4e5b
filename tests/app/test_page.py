"""The page as Gradio knows it; :mod:`test_browser` uses it."""

import pytest

from wm_lightning.app.sessions import Sessions
from wm_lightning.app.work import Cleaner

pytest.importorskip("gradio", reason="Gradio is not installed")

from wm_lightning.app.page import THEME, build


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return build(Cleaner(["general", "swcnn"], "cpu"), Sessions(tmp_path_factory.mktemp("sessions")), 7)


def test_jobs_that_run_the_network_wait_for_each_other(page):
    heavy = [function for function in page.fns.values() if function.name.startswith("clean")]
    assert len(heavy) == 7
    assert {(function.concurrency_id, function.concurrency_limit) for function in heavy} == {("network", 1)}


def test_one_endpoint_is_for_programs_and_no_other_can_be_called(page):
    named = page.get_api_info()["named_endpoints"]
    assert list(named) == ["/clean"]
    assert [one["parameter_name"] for one in named["/clean"]["parameters"]] == [
        "picture", "strength", "sensitivity", "model", "strokes", "mask",
    ]  # fmt: skip
    assert page.get_api_info()["unnamed_endpoints"] == {}


def test_nothing_is_fetched_from_elsewhere(page):
    assert THEME._stylesheets == []
    assert not page.analytics_enabled


def test_models_are_those_of_the_cleaner_and_one_alone_is_no_choice(page, cleaner, tmp_path):
    def dropdowns(blocks):
        return [block for block in blocks.blocks.values() if block.get_block_name() == "dropdown"]

    assert [[name for name, _ in menu.choices] for menu in dropdowns(page)] == [["general", "swcnn"]] * 3
    assert all(menu.value == "general" and menu.visible for menu in dropdowns(page))
    alone = dropdowns(build(cleaner, Sessions(tmp_path), 7))
    assert [menu.visible for menu in alone if menu.elem_id] == [False, False]
