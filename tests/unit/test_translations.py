"""Both Chinese catalogues hold every text of the interface, translated, with its placeholders.

The texts are read from the sources here, without gettext's own tools, so that a text which
`makemessages` cannot see (inside an f-string, say) is missed by nobody.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[2]
APPS = ("api", "benefits", "config", "console", "core", "members", "partners", "portal", "tenants")
LANGUAGES = ("zh_Hans", "zh_Hant")

# Where the singular text, the plural and the context stand among a function's arguments.
_PLACES: dict[str, tuple[int, int | None, int | None]] = {
    "gettext": (0, None, None),
    "gettext_noop": (0, None, None),
    "ngettext": (0, 1, None),
    "pgettext": (1, None, 0),
    "npgettext": (1, 2, 0),
}
_LITERAL = r"""(?:u?'(?:[^'\\]|\\.)*'|u?"(?:[^"\\]|\\.)*")"""
_TEMPLATE_CALL = re.compile(
    rf"(?<![\w])(n?p?gettext|_)\(\s*({_LITERAL}(?:\s*,\s*{_LITERAL})*)", re.DOTALL
)
_PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%%|\{\w+\}|`\w+`")

# Common characters that only one of the two scripts writes, simplified before traditional.
_PAIRS = (
    "员員 级級 积積 务務 单單 这這 为為 们們 录錄 额額 预預 备備 发發 时時 间間 请請 关關 门門 换換 "
    "话話 该該 试試 给給 过過 会會 现現 户戶 币幣 数數 据據 册冊 签簽 仅僅 计計 划劃 无無 权權 审審 "
    "应應 继繼 续續 总總 图圖 顾顧 达達 层層 险險 销銷 费費 结結 钥鑰 键鍵 页頁 标標 题題 环環 进進 "
    "运運 营營 规規 则則 条條 码碼 语語 个個 对對 后後 从從 与與 开開 还還 没沒 状狀 态態 类類 项項 "
    "邮郵 设設 设設 动動 区區 价價 获獲 奖獎 礼禮 馈饋 统統 认認 账帳 号號 复復 订訂 "
)
_SIMPLIFIED = {pair[0] for pair in _PAIRS.split()} - {"后"}  # 后 is also an empress
_TRADITIONAL = {pair[1] for pair in _PAIRS.split()}

Key = tuple[str | None, str]


def _python_texts(path: Path) -> Iterator[tuple[Key, str | None]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation":
            for alias in node.names:
                names[alias.asname or alias.name] = alias.name.removesuffix("_lazy")
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        places = _PLACES.get(names.get(node.func.id, ""))
        if places is None:
            continue
        texts = [
            arg.value if isinstance(arg, ast.Constant) and isinstance(arg.value, str) else None
            for arg in node.args
        ]
        found = [None if place is None else texts[place] for place in places]
        if found[0]:
            yield (found[2], found[0]), found[1]


def _template_texts(path: Path) -> Iterator[tuple[Key, str | None]]:
    source = templatize(path.read_text(encoding="utf-8"), origin=str(path))
    for call in _TEMPLATE_CALL.finditer(source):
        name = "gettext" if call[1] == "_" else call[1]
        texts = [ast.literal_eval(text) for text in re.findall(_LITERAL, call[2], re.DOTALL)]
        single, plural, context = _PLACES[name]
        yield (
            (None if context is None else texts[context], texts[single]),
            None if plural is None else texts[plural],
        )


@cache
def _source_texts() -> dict[Key, str | None]:
    """Return every text of the sources with its plural."""
    found: dict[Key, str | None] = {}
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*")):
            if path.suffix == ".py":
                texts = _python_texts(path)
            elif path.suffix in (".html", ".txt"):
                texts = _template_texts(path)
            else:
                continue
            for key, plural in texts:
                found[key] = plural or found.get(key)
    return found


@cache
def _catalog(language: str) -> Catalog:
    path = ROOT / "locale" / language / "LC_MESSAGES" / "django.po"
    return read_po(path.read_text(encoding="utf-8").splitlines(), locale=language)


def _entries(language: str) -> list[Message]:
    return [message for message in _catalog(language) if message.id]


def _forms(message: Message) -> list[str]:
    """Return the singular and, where there is one, the plural."""
    return [message.id] if isinstance(message.id, str) else list(message.id or ())


def _key(message: Message) -> Key:
    return message.context, _forms(message)[0]


def _written(message: Message) -> str:
    return message.string if isinstance(message.string, str) else "".join(message.string or ())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_the_sources_is_in_the_catalogue(language: str) -> None:
    have = {_key(message) for message in _entries(language)}

    assert sorted(map(str, _source_texts().keys() - have)) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_with_a_plural_have_one_in_the_catalogue(language: str) -> None:
    have = {
        _key(message): _forms(message)[1]
        for message in _entries(language)
        if len(_forms(message)) > 1
    }
    wanted = {key: plural for key, plural in _source_texts().items() if plural}

    assert {key: have.get(key) for key in wanted} == wanted


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_entry_is_translated_and_sure(language: str) -> None:
    open_ones = [m.id for m in _entries(language) if not _written(m) or m.fuzzy]

    assert open_ones == []
    assert not _catalog(language).obsolete


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_are_those_of_the_text(language: str) -> None:
    """The plural's, for it is the form that holds the number; Chinese has one form for all."""
    wrong = [
        message.id
        for message in _entries(language)
        if sorted(_PLACEHOLDER.findall(_written(message)))
        != sorted(_PLACEHOLDER.findall(_forms(message)[-1]))
    ]

    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_line_breaks_at_the_ends_are_kept(language: str) -> None:
    wrong = [
        message.id
        for message in _entries(language)
        if (_forms(message)[0].startswith("\n"), _forms(message)[0].endswith("\n"))
        != (_written(message).startswith("\n"), _written(message).endswith("\n"))
    ]

    assert wrong == []


@pytest.mark.parametrize(
    ("language", "foreign"), [("zh_Hans", _TRADITIONAL), ("zh_Hant", _SIMPLIFIED)]
)
def test_each_script_is_kept_pure(language: str, foreign: set[str]) -> None:
    mixed = {
        _written(message): sorted(foreign.intersection(_written(message)))
        for message in _entries(language)
        if foreign.intersection(_written(message))
    }

    assert mixed == {}


def test_both_catalogues_hold_the_same_texts() -> None:
    simplified, traditional = (
        {_key(message) for message in _entries(language)} for language in LANGUAGES
    )

    assert simplified == traditional


def test_python_texts_are_found_under_any_alias_and_inside_f_strings(tmp_path: Path) -> None:
    path = tmp_path / "words.py"
    path.write_text(
        "from django.utils.translation import gettext_lazy as _, npgettext, pgettext_lazy as p\n"
        "a = f\"{_('until %(date)s') % {'date': 1}}\"\n"
        "b = p('between', ' and ')\n"
        "c = npgettext('shop', '%(n)s item', '%(n)s ' 'items', 2)\n"
        "d = gettext('of something else')\n"
    )

    assert set(_python_texts(path)) == {
        ((None, "until %(date)s"), None),
        (("between", " and "), None),
        (("shop", "%(n)s item"), "%(n)s items"),
    }


def test_template_texts_are_found_in_attributes_and_blocks(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(
        '<c-x label="{% translate \'It is 5 %\' %}">{% translate "On" context "switch" %}\n'
        "{% blocktranslate count n=rows %}{{ n }} row{% plural %}{{ n }} rows"
        "{% endblocktranslate %}{{ _('Yes')|upper }}</c-x>"
    )

    assert set(_template_texts(path)) == {
        ((None, "It is 5 %%"), None),
        (("switch", "On"), None),
        ((None, "%(n)s row"), "%(n)s rows"),
        ((None, "Yes"), None),
    }
