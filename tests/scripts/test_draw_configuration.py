import pytest


@pytest.fixture
def module():
    import draw_configuration

    return draw_configuration


def test_the_page_is_up_to_date(module):
    assert module.PAGE.read_text(encoding="utf-8") == module.drawn(), "python scripts/draw_configuration.py"


def test_keys_are_told_by_their_comment_or_else_by_the_constructor(module, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "# @package _global_\n# What the file is\n_target_: package.Net\n"
        "width: 8\n# In pixels, or\n# null\nsize: [1, 2]\n"
        "terms:\n  edges:\n    _target_: package.Edges\n    weight: 0.5\n"
    )
    documented = {
        "package.Net": {"width": "Channels | maps.", "size": "no"},
        "package.Edges": {"": "Compares edges.", "weight": "A factor."},
    }
    assert module.section("model", path, module.keys_of(path, documented, {})).splitlines() == [
        "### `model=mine`",
        "",
        "What the file is",
        "",
        "| key | default | meaning |",
        "|---|---|---|",
        r"| `width` | `8` | Channels \| maps. |",
        "| `size` | `[1, 2]` | In pixels, or null |",
        "| `terms.edges` | `package.Edges` | Compares edges. |",
        "| `terms.edges.weight` | `0.5` | A factor. |",
        "",
    ]


def test_every_key_means_something(module):
    rows = [line.split(" | ") for line in module.drawn().splitlines() if line.startswith("| `")]
    assert len(rows) > 600
    assert [key for key, *_, meaning in rows if not meaning.strip(" |")] == []


def test_what_a_file_does_not_say_is_said_elsewhere(module, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "# The file\n_target_: package.Net\nkinds: {text: 1, logo: 2}\n"
        "optimizer:\n  _target_: torch.optim.AdamW\n  lr: 0.1\n  eps: 0\n"
    )
    keys = module.keys_of(path, {"package.Net": {"kinds": "Frequencies."}}, {})
    adamw = "See [AdamW](https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html)."
    found = module._explained("model", keys, {"model.optimizer.eps": "Known."})
    assert [(key.name, key.meaning) for key in found] == [
        ("kinds", "Frequencies."), ("kinds.text", "Part of `kinds`."), ("kinds.logo", "Part of `kinds`."),
        ("optimizer", adamw), ("optimizer.lr", adamw), ("optimizer.eps", "Known."),
    ]  # fmt: skip
    (low,) = module._explained("space", [module.Key("seed.low", "8", "")], {})
    assert low.meaning == "The least value that is tried."


def test_what_a_class_does_not_say_its_base_says(module, tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("from package.parts import Child\n")
    (package / "parts.py").write_text(
        'class Base:\n    """One.\n\n    Args:\n        one: The first,\n            on two lines.\n'
        '        two: B.\n    """\n'
        'class Child(Base):\n    """Two.\n\n    Args:\n        two: C.\n        **options: As for E.\n\n'
        '    Raises:\n        ValueError: D.\n    """\n'
    )
    assert module.arguments_of(package)["package.Child"] == {"": "Two.", "one": "The first, on two lines.", "two": "C."}
