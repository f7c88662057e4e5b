import pytest


@pytest.mark.parametrize(
    ("source", "link", "expected"),
    [
        ("docs/data.md", "[a](models.md#heads)", "[a](models.md#heads)"),
        ("docs/predict.md", "[a](../weights/README.md)", "[a](weights.md)"),
        ("README.md", "[a](weights/)", "[a](weights.md)"),
        ("README.md", "![a](docs/app.png)", "![a](app.png)"),
        ("weights/README.md", "[a](../docs/results.md#small)", "[a](results.md#small)"),
        ("LICENSES.md", "[a](src/x/OFL.txt)", "a"),
        ("docs/data.md", "[a](https://example.org/b.md)", "[a](https://example.org/b.md)"),
        ("docs/data.md", "[a](#below)", "[a](#below)"),
    ],
)
def test_links_lead_to_where_the_site_has_it(source, link, expected):
    import site_hooks

    assert site_hooks.relinked(f"See {link}.", source) == f"See {expected}."
