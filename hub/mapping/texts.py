"""Conversions of texts that platforms write by hand or by habit: phones, addresses in one line, properties, numbers in
Chinese. Like those of hub.mapping.functions: pure, never guessing, Unfit for what they cannot take."""

import hashlib
import re
import unicodedata
from typing import Any

from hub.mapping.functions import Unfit, to_decimal, to_text

_MOBILE = re.compile(r"(?:\+?86)?(1[3-9]\d{9})")
_EXTENSION = re.compile(r"(.*?)(?:转|轉|分机|ext\.?|x|#|,|-(?=\d{1,6}$))(\d{1,6})", re.IGNORECASE)
_LANDLINE = re.compile(r"(?:\+?86)?(010|02\d|0[3-9]\d{2})(\d{7,8})")
# a municipality without 市 counts only where more of an address follows: there is a 北京路 in many cities
_PROVINCE = re.compile(
    r"[^省市区县]{2,8}?(?:省|特别行政区|自治区)"
    r"|(?:北京|天津|上海|重庆)市|(?:北京|天津|上海|重庆|香港|澳门|台湾)(?=[^路街巷号]{1,8}?[区县市])"
)
_CITY = re.compile(r"[^省市区县]{1,10}?(?:自治州|地区|盟|市)")
_DISTRICT = re.compile(r"[^省市区县路街]{2,9}市(?!区)|[^省区县路街号]{1,10}?(?:自治县|自治旗|林区|区|县|旗)")
_NO_DISTRICT = re.compile(r"[镇乡巷弄村]|大道|(?:小|社|校|厂|景|(?<!工业)园)区$")
_OWN_CITIES = ("北京", "天津", "上海", "重庆")
_UNITS = {"万": 4, "萬": 4, "亿": 8, "億": 8}
_NAME_KEYS = ("name", "key", "attr_key", "display_key", "spec_name", "propertyName", "k")
_VALUE_KEYS = ("value", "attr_value", "display_value", "spec_value", "propertyValue", "v")


def to_phone(value: Any) -> str | None:
    """A phone number without its decoration: mobiles as 11 digits, landlines and extensions with hyphens. What is
    masked or foreign stays as it is; "" is not set. (Virtual numbers of Taobao and JD come with an extension.)

    >>> to_phone("+86 139-1234-5678"), to_phone("13912345678转8012"), to_phone("(0571) 88880000")
    ('13912345678', '13912345678-8012', '0571-88880000')
    >>> to_phone("010-88880000-12"), to_phone("021 6666 0000")
    ('010-88880000-12', '021-66660000')
    >>> to_phone("139****5678"), to_phone("+49 171 2345678"), to_phone("")
    ('139****5678', '+49 171 2345678', None)
    """
    text = unicodedata.normalize("NFKC", to_text(value)).strip()
    if not text:
        return None
    found = _EXTENSION.fullmatch(text)
    for number, extension in ([(found[1], found[2])] if found else []) + [(text, "")]:
        bare = re.sub(r"[\s()（）.-]", "", number)
        if mobile := _MOBILE.fullmatch(bare):
            return "-".join(filter(None, (mobile[1], extension)))
        if landline := _LANDLINE.fullmatch(bare):
            return "-".join(filter(None, (*landline.groups(), extension)))
    return text


def split_address(text: str) -> dict[str, str]:
    """A Chinese address in one text, as province, city, district and street; what cannot be told apart stays in street.

    >>> split_address("浙江省杭州市余杭区文一西路969号")
    {'province': '浙江省', 'city': '杭州市', 'district': '余杭区', 'street': '文一西路969号'}
    >>> split_address("上海市浦东新区世纪大道1号")
    {'province': '上海市', 'city': '上海市', 'district': '浦东新区', 'street': '世纪大道1号'}
    >>> split_address("12 Harbour Street")
    {'street': '12 Harbour Street'}
    """
    rest, parts = text.strip(), dict[str, str]()
    for name, pattern in (("province", _PROVINCE), ("city", _CITY), ("district", _DISTRICT)):
        own = parts.get("province", "").removesuffix("市")
        if name == "city" and own in _OWN_CITIES:
            parts["city"] = parts["province"]
            rest = re.sub(f"^{own}市?", "", rest).lstrip()
            continue
        found = pattern.match(rest)
        if not found or (name == "district" and _NO_DISTRICT.search(found[0])):
            if name == "district":
                break
            continue
        if name != "province" and not parts:
            break  # without a province nothing says that the rest is one
        parts[name] = found[0]
        rest = rest[found.end() :].lstrip()
    if rest:
        parts["street"] = rest
    return parts


def to_province(value: Any) -> str | None:
    """The province of an address that comes in one text; null where it cannot be told.

    >>> to_province("江苏省苏州市昆山市前进路1号"), to_province("前进路1号")
    ('江苏省', None)
    """
    return split_address(to_text(value)).get("province")


def to_city(value: Any) -> str | None:
    """The city of an address that comes in one text; null where it cannot be told.

    >>> to_city("江苏省苏州市昆山市前进路1号"), to_city("北京市海淀区中关村大街1号")
    ('苏州市', '北京市')
    """
    return split_address(to_text(value)).get("city")


def to_district(value: Any) -> str | None:
    """The district of an address that comes in one text; null where it cannot be told.

    >>> to_district("江苏省苏州市昆山市前进路1号"), to_district("广东省东莞市莞太路1号")
    ('昆山市', None)
    """
    return split_address(to_text(value)).get("district")


def to_street(value: Any) -> str | None:
    """What is left of an address in one text behind province, city and district; all of it where they cannot be told.

    >>> to_street("江苏省苏州市昆山市前进路1号"), to_street("12 Harbour Street")
    ('前进路1号', '12 Harbour Street')
    """
    return split_address(to_text(value)).get("street")


def to_properties(value: Any) -> str | None:
    """What a line's variant is, in one text: from a list of names and values, a list of texts, or an object.

    >>> to_properties([{"name": "颜色", "value": "红"}, {"name": "尺码", "value": "L"}]), to_properties({"Size": "L"})
    ('颜色:红;尺码:L', 'Size:L')
    >>> to_properties(["red", "L"]), to_properties("颜色:红"), to_properties([])
    ('red;L', '颜色:红', None)
    """
    if isinstance(value, dict) and not any(key in value for key in _VALUE_KEYS):
        return ";".join(f"{name}:{to_text(one)}" for name, one in value.items()) or None
    if isinstance(value, (list, dict)):
        return ";".join(_property(one) for one in (value if isinstance(value, list) else [value])) or None
    return to_text(value) or None


def _property(one: Any) -> str:
    if not isinstance(one, dict):
        return to_text(one)
    name = next((one[key] for key in _NAME_KEYS if one.get(key) is not None), None)
    value = next((one[key] for key in _VALUE_KEYS if one.get(key) is not None), None)
    if value is None:
        known = f"one of {', '.join(_VALUE_KEYS)}"
        raise Unfit(one, f"properties with {known}", "Make them {name: ..., value: ...} in the expression.")
    return to_text(value) if name is None else f"{to_text(name)}:{to_text(value)}"


def to_sha256(value: Any) -> str | None:
    """A text's SHA-256 in hex, lower case: tells values apart without showing them. Whoever can guess a value can check
    the guess, so it hides no phone numbers; "" is not set.

    >>> to_sha256("AAHbuyer")[:16], to_sha256("")
    ('ee956782a18416d7', None)
    """
    text = to_text(value)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() if text else None


def from_chinese(value: Any) -> Any:
    """A number as Chinese text writes it, as a plain one: currency signs, thousands, full-width digits, 万 and 亿. What
    is no text, or holds nothing of the kind, stays as it is.

    >>> from_chinese("¥1,234.50"), from_chinese("1.2万"), from_chinese("３８．００元"), from_chinese("12.5")
    ('1234.50', '12000', '38.00', '12.5')
    """
    if not isinstance(value, str):
        return value
    text = unicodedata.normalize("NFKC", value).strip()
    text = re.sub(r"^([+-]?)\s*(?:¥|￥|RMB|CNY)\s*|\s*(?:元|圆|CNY|RMB)$", r"\1", text, flags=re.IGNORECASE)
    text = re.sub(r"(?<=\d),(?=\d{3}(?:\D|$))", "", text)
    unit = _UNITS.get(text[-1:])
    if unit is None:
        return text
    number = to_decimal(text[:-1])
    return value if number is None else f"{number.scaleb(unit):f}"
