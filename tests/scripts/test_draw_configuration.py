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
    documented = {"package.Net": {"width": "Channels | maps.", "size": "no"}, "package.Edges": {"weight": "A factor."}}
    assert module.section("model", path, documented, {}).splitlines() == [
        "### `model=mine`",
        "",
        "What the file is",
        "",
        "| key | default | meaning |",
        "|---|---|---|",
        r"| `width` | `8` | Channels \| maps. |",
        "| `size` | `[1, 2]` | In pixels, or null |",
        "| `terms.edges` | `package.Edges` |  |",
        "| `terms.edges.weight` | `0.5` | A factor. |",
        "",
    ]


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
    assert module.arguments_of(package)["package.Child"] == {"one": "The first, on two lines.", "two": "C."}
