"""The notebook runs from top to bottom, with a short training in place of a whole one."""

import os
import re
import shlex
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from wm_lightning.files import CONF

nbformat = pytest.importorskip("nbformat", reason="nbclient is not installed: the extra dev")
NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "first_training.ipynb"
SHORT = (
    "debug=fast model=pixel_unshuffle_unet_small data.batch_size=2 loss.alpha=0 logger=none trainer.accelerator=cpu "
    "callbacks.figures.names=[] callbacks.first_look=null callbacks.samples=null synthesis.system_fonts=false"
)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """What the code cells showed, by their ids."""
    from nbclient import NotebookClient

    folder, book = tmp_path_factory.mktemp("notebook"), nbformat.read(NOTEBOOK, as_version=4)
    (parameters,) = (cell for cell in book.cells if "parameters" in cell.metadata.get("tags", ()))
    parameters.source = f'options = "{SHORT}"'
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        NotebookClient(
            book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
        ).execute()
    return {cell.id: cell.outputs for cell in book.cells if cell.cell_type == "code"}


@pytest.mark.slow
def test_it_trains_looks_and_predicts(outputs):
    for cell in ("pairs", "look", "marked", "mine", "general"):
        assert "image/png" in outputs[cell][-1].data or "image/jpeg" in outputs[cell][-1].data, cell
    assert "'gain': " in outputs["look"][0].text
    assert "nan" not in outputs["look"][0].text
    assert "[((" in outputs["general"][0].text  # the mark's box, as the network that comes with the package finds it


def test_it_is_kept_without_outputs():
    book = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(book)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in book.cells)


def test_its_commands_can_be_typed():
    sources = {cell.id: cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells}
    options = re.search('"(.*)"', sources["parameters"])[1]
    typed = re.findall(r"(?m)^!wm-(\w+) (.*)$", "\n".join(sources.values()))
    assert [name for name, _ in typed] == ["preview", "train"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        for name, arguments in typed:
            compose(name, overrides=shlex.split(arguments.replace("{options}", f"{options} {SHORT}")))
