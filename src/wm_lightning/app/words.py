"""The page's texts, in English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Mapping

from wm_lightning.inference.findings import NAMED, Findings

# By key: English, Chinese.
TEXTS = {
    "title": ("Watermark remover", "去水印"),
    "about": (
        "It finds visible watermarks and removes them; the rest of the picture stays as it is. Use it only on "
        "pictures that you have the right to change.",
        "自动找出可见水印并将其去除，图片的其余部分保持不变。请只处理您有权修改的图片。",
    ),
    "one": ("One picture", "单张图片"),
    "many": ("Many pictures", "多张图片"),
    "drop": ("Drop a picture", "拖入一张图片"),
    "drop_many": ("Drop pictures", "拖入多张图片"),
    "download": ("Download", "下载"),
    "download_mask": ("Download the mask", "下载蒙版"),
    "download_all": ("Download all (ZIP)", "全部下载（ZIP）"),
    "strength": ("Strength", "强度"),
    "strength_info": ("How much of a mark is removed", "水印去除的程度"),
    "sensitivity": ("Sensitivity", "灵敏度"),
    "sensitivity_info": (
        "How little evidence a mark needs: higher finds more marks, and more that are not marks",
        "认定水印所需的证据：越高找到的越多，误判也越多",
    ),
    "same_mark": ("They share one mark", "它们带有同一个水印"),
    "same_mark_info": (
        "The mark is measured on all of them and undone; five pictures or more that have it in one size",
        "从所有图片中测出该水印并逆向还原；至少需要五张水印大小相同的图片",
    ),
    "measuring": ("Looking for the mark that they share ...", "正在测定共同的水印……"),
    "model": ("Model", "模型"),
    "compare": ("Before and after", "前后对比"),
    "found": ("Marks found", "找到的水印"),
    "paint": ("Paint", "涂抹"),
    "boxes": ("Remove; switch off what is not a mark", "要去除的水印；不是水印的请取消勾选"),
    "again": ("Clean again", "重新去除"),
    "mask_file": (
        "Mask of the same size, white where pixels may change",
        "上传同尺寸蒙版，白色处允许修改",
    ),
    "clean_many": ("Clean them", "开始去除"),
    # What the page says
    "limits": (
        "{formats}; up to {megapixels:g} megapixels. Of a file with several frames or pages, the first is cleaned.",
        "{formats}；最多 {megapixels:g} 百万像素；动图和多页文件只处理第一张。",
    ),
    "at_most": ("At most {count} pictures at once.", "一次最多 {count} 张图片。"),
    "told": ("{name}: {told}.", "{name}：{told}。"),
    "joint": ("; ", "；"),
    "working": ("{name} ...", "{name}……"),
    "tiles": ("tiles", "块"),
    "pictures": ("pictures", "张"),
    "drop_first": ("Drop a picture first.", "请先拖入一张图片。"),
    "drop_many_first": ("Drop pictures first.", "请先拖入图片。"),
    "gone": ("The picture is no longer here; drop it again.", "图片已不在服务器上，请重新拖入。"),
    "too_many": (
        "{count} pictures are too many; give at most {most}.",
        "{count} 张图片太多了，最多 {most} 张。",
    ),
    "done_of": ("{done} of {count} pictures done.", "已完成 {done}/{count} 张。"),
    "cleaned_of": ("{done} of {count} pictures cleaned.", "{count} 张图片中已处理 {done} 张。"),
    "cleaned_failed": (
        "{done} of {count} pictures cleaned; {failed} failed.",
        "{count} 张图片中已处理 {done} 张，失败 {failed} 张。",
    ),
    "waiting": ("waiting", "等待中"),
    "in_work": ("working ...", "处理中……"),
    "look": ("check it: {doubt}", "请检查：{doubt}"),
    "unseen": ("no mark is seen where you painted one", "在您涂抹处未见水印"),
    "mask_taken": ("{name}: used as mask; press Clean again.", "{name}：已用作蒙版，请点击“重新去除”。"),
    "mask_dropped": ("No mask is used.", "不使用蒙版。"),
    # What is shown
    "before_alt": ("{name} before", "{name} 处理前"),
    "after_alt": ("{name} after", "{name} 处理后"),
    "slider": ("How much of the picture before cleaning is shown", "处理前图片显示的比例"),
    "marks_alt": (
        "{name} in grey; the marks that were found are red, in numbered boxes",
        "{name} 的灰度图；找到的水印为红色，并有编号方框",
    ),
    "nothing_alt": ("{name} in grey; nothing was found", "{name} 的灰度图；未找到水印"),
    "painting_alt": ("{name}, to paint on", "{name}，可在其上涂抹"),
    "brushes": ("Brushes", "画笔"),
    "mark": ("Here is a mark", "这里有水印"),
    "leave": ("Leave this alone", "保留此处"),
    "erase": ("Eraser", "橡皮擦"),
    "width": ("Width", "粗细"),
    "undo": ("Undo", "撤销"),
    "clear": ("Clear", "清除"),
    "sure": ("sure", "把握"),
    "table": ("What became of the pictures", "图片处理结果"),
    "file": ("File", "文件"),
    "result": ("Result", "结果"),
}
LANGUAGES = ("en", "zh")

# The core speaks English; what people meet most often is said in Chinese too.
_CHINESE = tuple(
    (re.compile(pattern), said)
    for pattern, said in (
        (r"(.+) is no picture that can be read; give JPEG, PNG, WebP, TIFF or BMP\.", r"\1 不是可读取的图片；请提供 JPEG、PNG、WebP、TIFF 或 BMP。"),
        (r"(.+) is damaged or cut short.*", r"\1 已损坏或不完整。"),
        (r"(.+) is empty; it holds no picture\.", r"\1 是空文件。"),
        (r"(.+) has ([\d.]+) megapixels; at most ([\d.]+) are taken here, so reduce it first\.", r"\1 有 \2 百万像素；此处最多 \3，请先缩小。"),
        (r"(.+) takes more than ([\d.]+) minutes, the limit here; reduce it first\.", r"\1 处理超过 \2 分钟的上限；请先缩小。"),
        (r"(.+) failed: (.+)\.", r"\1 处理失败：\2。"),
        (r"The mask is (\S+), the picture (\S+) pixels; they must be equal\.", r"蒙版为 \1，图片为 \2 像素；两者必须相同。"),
        (r"The pictures share no mark that can be measured.*", r"这些图片没有可以测定的共同水印。"),
        (r"A mark cannot be told from (?:one picture|\d+ pictures); give at least (\d+) that share it\.", r"图片太少，无法测定水印；请提供至少 \1 张带有该水印的图片。"),
        (r"what was found may belong to the picture", "找到的内容可能属于图片本身"),
        (r"(\d+%) of its pixels changed, which few watermarks cover", r"修改了 \1 的像素，水印很少这么大"),
    )
)  # fmt: skip


class Words:
    """Texts of one language.

    Args:
        language: One of ``LANGUAGES``.
    """

    def __init__(self, language: str = "en") -> None:
        self.language = language

    @classmethod
    def asked(cls, headers: Mapping[str, str]) -> Words:
        """Chinese for a browser that asks for it first, as the page itself does; English for all others."""
        first = headers.get("accept-language", "").split(",")[0].strip().lower()
        return cls("zh" if first.split("-")[0].split(";")[0] == "zh" else "en")

    def __call__(self, key: str, **values: object) -> str:
        """Returns a text with its values in their places."""
        return TEXTS[key][LANGUAGES.index(self.language)].format(**values)

    def core(self, sentence: str) -> str:
        """Returns a sentence of the core in this language, where there is one."""
        if self.language == "zh":
            for pattern, said in _CHINESE:
                if found := pattern.fullmatch(sentence):
                    return found.expand(said)
        return sentence

    def findings(self, findings: Findings) -> str:
        """Says what was found."""
        if self.language == "en":
            return findings.told()
        if not findings.changed:
            return "未找到可确认的水印"
        places = [
            f"{right - left}x{bottom - top}，位于 {left},{top}（{mark.certainty:.0%} 把握）"
            for mark in findings.marks[:NAMED]
            for left, top, right, bottom in (mark.box,)
        ]
        more = f"，另有 {len(findings.marks) - NAMED} 处" if len(findings.marks) > NAMED else ""
        return f"{len(findings.marks)} 处水印，修改了 {findings.changed:.1%} 的像素：{'；'.join(places)}{more}"
