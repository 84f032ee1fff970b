"""Text that a person may type as a name, and that does something where it is taken for more than text."""

from __future__ import annotations

RICH = ("[/x]", "a[/bold]b", "[red]x[/red]", "[link=http://foreign.example]x[/link]", ":smile:", "\\[x]")

MARKDOWN = (
    "![p](http://foreign.example/p.png)",
    "[a](javascript:alert(1))",
    "# a heading",
    "1. one",
    "- one",
    "*a* _b_ **c** ~~d~~ `e`",
    "a | b",
    "$x^2$ and $$y$$",
    ":material/home: :red[x] :smile: :streamlit:",
    "a -> b <- c -- d",
    "http://foreign.example/x www.foreign.example x@foreign.example",
    "&lt;b&gt; &amp;",
)

HTML = (
    "<script>alert(1)</script>",
    "<img src=http://foreign.example/q.png onerror=alert(1)>",
    "</style></title><b>x</b>",
    "\"' onload=alert(1)",
)

HIDDEN = ("\x1b[31mred\x1b[0m", "a\u202egnp.exe", "one\ntwo", "bell\x07 \x9b31m", "zero\u200bwidth")

FORMULAS = ("=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", '=HYPERLINK("http://foreign.example","x")')

NAMES = (*RICH, *MARKDOWN, *HTML, *HIDDEN, *FORMULAS)

MADE_BY_MARKUP = (
    "img[src*=foreign], img[src=x], img[alt='Streamlit logo'], a[href*=foreign]:not([href^='#']), a[href^=javascript], "
    "b.bad, .katex, .stMarkdownBadge, .stMarkdownColoredText:text-is('x'), [data-testid=stMarkdownContainer] script"
)
"""Playwright's selector of elements that the names of the tests make where they are taken for more than text."""
