import re
import string

import pytest

from wm_lightning.app.words import TEXTS, Words
from wm_lightning.inference.findings import Findings
from wm_lightning.inference.marks import Mark


def fields(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", TEXTS)
def test_each_text_is_there_in_both_languages_with_the_same_values(key):
    english, chinese = TEXTS[key]
    assert fields(english) == fields(chinese)
    assert re.search("[\u4e00-\u9fff]", chinese) or not re.search("[a-z]{2}", re.sub(r"\{.*?\}", "", english))
    assert not re.search("[\u4e00-\u9fff]", english)


@pytest.mark.parametrize(
    ("header", "language"),
    [("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("zh", "zh"), ("zh-TW;q=1", "zh"), ("en-GB,zh;q=0.5", "en"), ("de", "en"),
     ("", "en")],
)  # fmt: skip
def test_the_language_is_the_one_the_browser_asks_for_first(header, language):
    assert Words.asked({"accept-language": header}).language == language
    assert Words.asked({}).language == "en"


def test_findings_are_told_in_both():
    mark = Mark((10, 20, 40, 30), 0.934, 100)
    findings = Findings((100, 80), 0.0125, (mark,) * 4)
    assert Words("en").findings(findings) == findings.told()
    told = Words("zh").findings(findings)
    assert told.startswith("4 处水印，修改了 1.2% 的像素：30x10，位于 10,20（93% 把握）；")
    assert told.endswith("另有 1 处")
    assert Words("zh").findings(Findings()) == "未找到可确认的水印"


def test_what_the_core_says_most_often_is_said_in_chinese_and_the_rest_as_it_is():
    chinese = Words("zh")
    assert chinese.core("a.png has 5.0 megapixels; at most 4 are taken here, so reduce it first.") == (
        "a.png 有 5.0 百万像素；此处最多 4，请先缩小。"
    )
    assert chinese.core("a.png is a GIF file.") == "a.png is a GIF file."
    assert Words("en").core("a.png is empty; it holds no picture.") == "a.png is empty; it holds no picture."
