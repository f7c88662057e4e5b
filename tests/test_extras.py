"""What is installed without extras is enough to remove marks, and all else says what it needs."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from wm_lightning.errors import UserError
from wm_lightning.extras import EXTRAS, MissingPackageError, needing

REPOSITORY = Path(__file__).parents[1]
# Imported names of packages that are called otherwise
NAMES = {
    "PIL": "pillow", "cv2": "opencv-python-headless", "hydra": "hydra-core", "skimage": "scikit-image",
    "huggingface_hub": "huggingface-hub", "pillow_heif": "pillow-heif",
    "mozjpeg_lossless_optimization": "mozjpeg-lossless-optimization",
}  # fmt: skip
# Of extras that say so in sentences of their own, or come with a package that another line names
ELSEWHERE = {
    "botocore", "deepinv", "fastapi", "gradio_client", "sqlalchemy", "starlette", "torchvision", "typing_extensions",
    "uvicorn", "wandb", "yaml",
}  # fmt: skip
# Runs commands one after the other as if no extra were installed, and prints how each ended.
PROGRAM = """
import sys
extras = set(sys.argv[1].split(","))
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in extras:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in extras else found(name, package)
from importlib import import_module
for line in sys.argv[2:]:
    module, call, *arguments = line.split()
    sys.argv = ["wm-command", *arguments]
    try:
        getattr(import_module(f"wm_lightning.{module}"), call)()
    except SystemExit as end:
        print(line, "ended with", end.code or 0, flush=True)
"""


def requirements():
    """Names of what pyproject.toml asks for, by extra; without one: an empty name."""
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")  # Python 3.10 reads no TOML
    base = re.search(r"(?ms)^dependencies = \[.*?^\]", text)[0]
    extras = text[text.index("[project.optional-dependencies]") : text.index("[project.scripts]")]
    blocks = {"": base, **dict(re.findall(r"(?ms)^(\w+) = (\[.*?\])(?= *(?:#.*)?$)", extras))}
    return {name: set(re.findall(r'"([\w-]+)(?:\[\w+\])?[><=]', block)) for name, block in blocks.items()}


def imported():
    """The packages that the sources import, by the name imported."""
    for path in (REPOSITORY / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.level == 0 else []
            yield from (name.partition(".")[0] for name in names)


def test_every_package_is_of_the_base_or_of_an_extra_that_is_told():
    asked = requirements()
    packages = set(imported()) - sys.stdlib_module_names - {"wm_lightning"} - ELSEWHERE
    assert {"torch", "numpy", "hydra"} <= packages
    for package in packages:
        extra = EXTRAS.get(package, "")
        assert NAMES.get(package, package.lower()) in asked[extra], f"{package} is not in {extra or 'dependencies'}"


def test_what_is_missing_is_told_with_its_extra():
    sentence = r"^This needs optuna, which is not installed: pip install 'wm-lightning\[sweep\]'\.$"
    with pytest.raises(MissingPackageError, match=sentence), needing("This"):
        raise ModuleNotFoundError("No module named 'optuna.trial'", name="optuna")
    with pytest.raises(ModuleNotFoundError), needing("This"):
        raise ModuleNotFoundError("No module named 'own'", name="own")
    assert issubclass(MissingPackageError, UserError)


def test_without_extras_marks_are_removed_and_all_else_says_what_it_needs(tmp_path):
    Image.new("RGB", (60, 40), (90, 120, 60)).save(tmp_path / "in.png")
    (tmp_path / "mine.safetensors").touch()
    lines = {
        "inference.command main in.png -o out": 0,
        "inference.command main in.png -o other --weights mine.safetensors": "needs torch",
        "inference.command main in.png -o other --same-mark": "needs torch",
        "inference.command main . -o other --ray": "needs pyarrow, which is not installed: pip install",
        "inference.command main in.png -o other --weights nowhere": "There are no weights nowhere; give",
        "inference.export_command main -o general.onnx": "wm-export needs torch",
        "mark.command main estimate . -o mark": "needs torch",
        "hub.command main pull somebody/net": "wm-hub needs huggingface_hub",
        "data.command main index .": 0,
        "data.command main optimize . shards --layout plain": "wm-data optimize needs filelock",
        "mark.command main show nowhere": "nowhere",
        "entry train": "wm-train needs hydra",
        "app.command main": "The page needs Gradio",
    }
    command = [sys.executable, "-c", PROGRAM, ",".join(EXTRAS), *lines]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    ends = dict(line.rsplit(" ended with ", 1) for line in done.stdout.splitlines() if " ended with " in line)
    assert ends == {line: "0" if end == 0 else "1" for line, end in lines.items()}, done.stderr
    sentences = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    for sentence, expected in zip(sentences, (end for end in lines.values() if end != 0), strict=True):
        assert expected in sentence
    assert (tmp_path / "out" / "in.png").read_bytes() == (tmp_path / "in.png").read_bytes()
