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
        ("docs/app.md", "[mark.md](mark.md)", "[One mark on many pictures](mark.md)"),
        ("README.md", "[docs/predict.md](docs/predict.md#evidence)", "[Evidence](predict.md#evidence)"),
    ],
)
def test_links_lead_to_where_the_site_has_it(source, link, expected):
    import site_hooks

    assert site_hooks.relinked(f"See {link}.", source) == f"See {expected}."


def test_a_link_to_a_heading_that_is_not_there_is_refused():
    import site_hooks

    with pytest.raises(ValueError, match=r"^docs/mark\.md has no heading #gone; it has: One mark on many pictures; "):
        site_hooks.relinked("[mark.md](mark.md#gone)", "docs/app.md")
