#!/usr/bin/env python3
"""Writes host/text/unicode_ranges.inc, the properties of characters that host/text/unicode.c looks up.

    pip install regex==2026.11.19
    python3 tools/make_unicode.py >host/text/unicode_ranges.inc
"""
import regex

WORD = r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]"
CLASSES = {
    "CONTROL": r"\p{GCB=Control}|\p{GCB=CR}|\p{GCB=LF}",
    "EXTEND": r"\p{GCB=Extend}",
    "ZWJ": r"\p{GCB=ZWJ}",
    "SPACING": r"\p{GCB=SpacingMark}",
    "PREPEND": r"\p{GCB=Prepend}",
    "REGIONAL": r"\p{GCB=Regional_Indicator}",
    "PICTOGRAPH": r"\p{Extended_Pictographic}",
}


def properties(code):
    if 0xD800 <= code < 0xE000:
        return "OTHER", 0
    char = chr(code)
    name = next((name for name, pattern in CLASSES.items() if regex.fullmatch(pattern, char)), "OTHER")
    return name, int(bool(regex.fullmatch(WORD, char)))


def main():
    print("// Written by tools/make_unicode.py (Unicode of regex %s): first, last, class for graphemes, word." % regex.__version__)
    print("// clang-format off")
    start, last = 0, ("OTHER", 0)
    for code in range(0x110001):
        now = properties(code) if code < 0x110000 else ("OTHER", 0)
        if now != last:
            if last != ("OTHER", 0):
                print("{0x%x, 0x%x, %s, %d}," % (start, code - 1, *last))
            start, last = code, now
    print("// clang-format on")


main()
