"""Rows of the language table for programming languages that are outlined by their lines.

They have no wheel (R), or their wheel is larger than it is worth (OCaml: 12.9 MB).
"""

from __future__ import annotations

from indexer.languages.language import Language, LineRule

_HASH = ("#",)
_SEMI = (";",)
_PERCENT = ("%",)
_R_NAME = r"[`\"']?(?P<name>(?<=[`\"'])[^`\"']+|[A-Za-z.][\w.]*)[`\"']?"
_ML_PARAMETERS = r"(?:\([^)]*\)\s*|[+-]?'\w+\s+)?"

_GROOVY = (
    LineRule("class", r"\s*(?:(?:public|private|abstract|final|static)\s+)*(?:class|trait)\s+(?P<name>\w+)"),
    LineRule("interface", r"\s*(?:public\s+)?(?:@?interface|enum)\s+(?P<name>\w+)"),
    LineRule(
        "function",
        r"\s*(?:(?:public|private|protected|static|final|def|void|[A-Z]\w*(?:<.*?>)?)\s+)+(?P<name>\w+)\s*\([^=]*$",
    ),
    LineRule("block", r"(?P<name>\w+(?:\([^)]*\))?)\s*\{\s*$"),
)

ROWS: tuple[Language, ...] = (
    Language(
        name="solidity",
        extensions=("sol",),
        lines=(
            LineRule("class", r"\s*(?:abstract\s+)?(?:contract|library|interface)\s+(?P<name>\w+)"),
            LineRule("method", r"\s*(?:function|modifier)\s+(?P<name>\w+)"),
            LineRule("constructor", r"\s*(?P<name>constructor|receive|fallback)\s*\("),
            LineRule("struct", r"\s*(?:struct|enum)\s+(?P<name>\w+)"),
            LineRule("event", r"\s*(?:event|error)\s+(?P<name>\w+)\s*\("),
        ),
    ),
    Language(
        name="r",
        extensions=("r",),
        filenames=(".Rprofile",),
        shebangs=("Rscript",),
        lines=(
            LineRule("function", rf"\s*{_R_NAME}\s*(?:<<?-|=)\s*(?:function\s*\(|\\\()"),
            LineRule(
                "class",
                r"\s*(?:[\w.]+\s*(?:<-|=)\s*)?(?:setClass|setRefClass|(?:R6::)?R6Class)\(\s*[\"'](?P<name>[\w.]+)",
            ),
            LineRule("class", r"\s*(?P<name>[\w.]+)\s*(?:<-|=)\s*(?:setClass|setRefClass|(?:R6::)?R6Class)\("),
            LineRule("function", r"\s*setGeneric\(\s*[\"'](?P<name>[^\"']+)"),
            LineRule("method", r"\s*setMethod\(\s*(?:f\s*=\s*)?[\"'](?P<name>[^\"']+)"),
            LineRule("method", r"\s*setValidity\(\s*[\"'](?P<name>[\w.]+)"),
            LineRule("test", r"\s*(?:test_that|describe|it)\(\s*[\"'](?P<name>[^\"']+)"),
            LineRule("constant", rf"{_R_NAME}\s*<-\s*\S"),
        ),
        line_comment=_HASH,
        block_comment=None,
    ),
    Language(
        name="ocaml",
        extensions=("ml", "mli", "mll", "mly"),
        shebangs=("ocaml",),
        lines=(
            LineRule("module", r"\s*(?:module|and)\s+(?:type\s+|rec\s+)*(?P<name>[A-Z]\w*)", ends="indent"),
            LineRule("class", r"\s*class\s+(?:type\s+)?(?:virtual\s+)?(?:\[[^]]*\]\s*)?(?P<name>\w+)", ends="indent"),
            LineRule(
                "type", rf"\s*(?:type|and)\s+(?:nonrec\s+)?{_ML_PARAMETERS}(?P<name>\w+)\s*(?::?=|$)", ends="indent"
            ),
            LineRule("exception", r"\s*exception\s+(?P<name>[A-Z]\w*)", ends="indent"),
            LineRule(
                "function",
                r"\s*(?:let|and)\s+(?:rec\s+|%\w+\s+|inline\s+)*(?P<name>[a-z_][\w']+|[a-z])[^=]*=(?!.*\bin\s*$)",
                ends="indent",
            ),
            LineRule("test", r"\s*let%\w+\s+\"(?P<name>[^\"]+)", ends="indent"),
            LineRule("function", r"\s*let\s+(?:rec\s+)?(?P<name>[a-z_][\w']*)\s*$", ends="indent"),
            LineRule("function", r"\s*(?:val|external)\s+(?:mutable\s+)?(?P<name>\w+)", ends="indent"),
            LineRule("method", r"\s*method[!]?\s+(?:private\s+|virtual\s+)*(?P<name>\w+)", ends="indent"),
            LineRule("constructor", r"\s*\|\s*(?P<name>[A-Z]\w*)", own=False, inside="type"),
            LineRule("field", r"\s*[{;]?\s*(?:mutable\s+)?(?P<name>[a-z_]\w*)\s*:[^:=]", own=False, inside="type"),
        ),
        line_comment=(),
        block_comment=("(*", "*)"),
    ),
    Language(
        name="fsharp",
        extensions=("fs", "fsi", "fsx"),
        lines=(
            LineRule("module", r"\s*module\s+(?:rec\s+)?(?P<name>[\w.]+)\s*=", ends="indent"),
            LineRule("type", r"\s*(?:type|and)\s+(?:private\s+|internal\s+)?(?P<name>\w+)", ends="indent"),
            LineRule("function", r"\s*let\s+(?:rec\s+|inline\s+|private\s+|mutable\s+)*(?P<name>\w+)", ends="indent"),
            LineRule("constructor", r"\s*\|\s*(?P<name>[A-Z]\w*)", own=False, inside="type"),
            LineRule(
                "method",
                r"\s*(?:static\s+)?(?:member|override|default|abstract)\s+(?:\w+\.)?(?P<name>\w+)",
                ends="indent",
            ),
        ),
        block_comment=("(*", "*)"),
    ),
    Language(
        name="elm",
        extensions=("elm",),
        lines=(
            LineRule("type", r"type\s+(?:alias\s+)?(?P<name>\w+)", ends="indent"),
            LineRule("constructor", r"\s+[|=]\s*(?P<name>[A-Z]\w*)", own=False, inside="type"),
            LineRule("field", r"\s+[{,]\s*(?P<name>[a-z]\w*)\s*:", own=False, inside="type"),
            LineRule("function", r"(?:port\s+)?(?P<name>[a-z]\w*)\s*:\s", ends="next"),
        ),
        line_comment=("--",),
        block_comment=("{-", "-}"),
    ),
    Language(
        name="clojure",
        extensions=("clj", "cljs", "cljc", "edn", "bb"),
        lines=(
            LineRule("function", r"\(def(?:n-?|macro|multi|method|test)\s+(?:\^\S+\s+)*(?P<name>\S+)", ends="indent"),
            LineRule("class", r"\(def(?:record|type|protocol)\s+(?P<name>\S+)", ends="indent"),
            LineRule("constant", r"\(def(?:once)?\s+(?:\^\S+\s+)*(?P<name>\S+)", ends="indent"),
            LineRule("module", r"\(ns\s+(?P<name>\S+)", ends="indent"),
        ),
        line_comment=_SEMI,
        block_comment=None,
    ),
    Language(
        name="lisp",
        extensions=("lisp", "lsp", "el", "scm", "rkt", "ss", "cl"),
        lines=(
            LineRule(
                "function",
                r"\((?:cl-)?def(?:un|macro|method|generic|subst|advice|ine-\S+)\*?\s+(?P<name>[^\s()]+)",
                ends="indent",
            ),
            LineRule("function", r"\(define\s+\(?(?P<name>[^\s()]+)", ends="indent"),
            LineRule("class", r"\(def(?:class|struct|type)\s+\(?(?P<name>[^\s()]+)", ends="indent"),
            LineRule(
                "constant",
                r"\(def(?:var|const|custom|parameter|constant|group|face)\s+(?P<name>[^\s()]+)",
                ends="indent",
            ),
        ),
        line_comment=_SEMI,
        block_comment=("#|", "|#"),
    ),
    Language(
        name="erlang",
        extensions=("erl", "hrl", "escript"),
        shebangs=("escript",),
        lines=(
            LineRule("function", r"(?P<name>[a-z]\w*)\(.*(?:->|,|when\b).*$", ends="indent"),
            LineRule("struct", r"-record\(\s*(?P<name>\w+)", ends="indent"),
            LineRule("type", r"-(?:type|opaque)\s+(?P<name>\w+)\(", ends="indent"),
            LineRule("macro", r"-define\(\s*(?P<name>\w+)", ends="indent"),
        ),
        line_comment=_PERCENT,
        block_comment=None,
    ),
    Language(
        name="groovy",
        extensions=("groovy", "gradle", "gvy", "jenkinsfile"),
        filenames=("Jenkinsfile",),
        lines=_GROOVY,
    ),
    Language(
        name="powershell",
        extensions=("ps1", "psm1", "psd1"),
        shebangs=("pwsh",),
        lines=(
            LineRule("function", r"\s*(?i:function|filter|workflow)\s+(?P<name>[\w:\-]+)"),
            LineRule("class", r"\s*(?i:class|enum)\s+(?P<name>\w+)"),
        ),
        line_comment=_HASH,
        block_comment=("<#", "#>"),
    ),
    Language(
        name="objective-c",
        extensions=("m", "mm"),
        lines=(
            LineRule("class", r"@(?:interface|implementation|protocol)\s+(?P<name>\w+)[^;]*$", ends="next"),
            LineRule("end", r"(?P<name>@end)\b", ends="next"),
            LineRule("property", r"@property\b.*?(?P<name>\w+)\s*;", own=False),
            LineRule("enum", r"typedef\s+NS_(?:CLOSED_)?(?:ENUM|OPTIONS)\(\s*\w+\s*,\s*(?P<name>\w+)"),
            LineRule("macro", r"\s*#\s*define\s+(?P<name>\w+)", own=False),
            LineRule("method", r"[-+]\s*\([^)]*\)\s*(?P<name>\w+)[^;]*$"),
            LineRule("function", r"(?:\w[\w*]*[\s*]+)+(?P<name>\w+)\s*\([^;]*$"),
        ),
    ),
    Language(
        name="d",
        extensions=("d", "di"),
        lines=(
            LineRule("enum", r"\s*(?:\w+\s+)*enum\s+(?P<name>\w+)[^;=]*$"),
            LineRule("struct", r"\s*(?:\w+\s+)*(?:struct|union)\s+(?P<name>\w+)[^;]*$"),
            LineRule("class", r"\s*(?:\w+\s+)*(?:class|interface|template)\s+(?P<name>\w+)[^;]*$"),
            LineRule(
                "function", r"\s*(?:[\w@.!\[\]()*]+\s+)+(?P<name>(?!if|for|while|switch|foreach|return)\w+)\s*\([^;]*$"
            ),
        ),
    ),
    Language(
        name="nim",
        extensions=("nim", "nims", "nimble"),
        lines=(
            LineRule("constant", r"(?:const|let|var)\s+(?P<name>\w+)", own=False),
            LineRule(
                "function",
                r"\s*(?:proc|func|method|iterator|template|macro|converter)\s+`?(?P<name>[^\s`*(\[]+)",
                ends="indent",
            ),
            LineRule(
                "type",
                r"\s+(?P<name>[A-Z]\w*)\*?\s*(?:\[.*\])?\s*(?:\{.*\}\s*)?=\s*(?:ref |ptr )?(?:object|enum|tuple)",
                ends="indent",
            ),
        ),
        line_comment=_HASH,
        block_comment=("#[", "]#"),
    ),
    Language(
        name="crystal",
        extensions=("cr",),
        shebangs=("crystal",),
        lines=(
            LineRule("module", r"\s*(?:module|lib)\s+(?P<name>[\w:]+)", ends="indent"),
            LineRule("enum", r"\s*enum\s+(?P<name>[\w:]+)", ends="indent"),
            LineRule("class", r"\s*(?:abstract\s+)?(?:class|struct)\s+(?P<name>[\w:]+)", ends="indent"),
            LineRule("macro", r"\s*macro\s+(?P<name>[\w?!]+)", ends="indent"),
            LineRule(
                "method",
                r"\s*(?:private\s+|protected\s+|abstract\s+)*def\s+(?:self\.)?(?P<name>[\w?!=]+)",
                ends="indent",
            ),
            LineRule("property", r"\s*(?:class_)?(?:getter|setter|property)[?!]?\s+(?P<name>\w+)", own=False),
            LineRule("constant", r"\s*(?P<name>[A-Z]\w*)\s*=\s", own=False),
        ),
        line_comment=_HASH,
        block_comment=None,
    ),
    Language(
        name="gdscript",
        extensions=("gd",),
        lines=(
            LineRule("function", r"\s*(?:static\s+)?func\s+(?P<name>\w+)", ends="indent"),
            LineRule("class", r"\s*class\s+(?P<name>\w+)", ends="indent"),
            LineRule("enum", r"\s*enum\s+(?P<name>\w+)"),
            LineRule("class", r"\s*class_name\s+(?P<name>\w+)", own=False),
            LineRule("variable", r"(?:@\w+(?:\([^)]*\))?\s+)*(?:const|var|signal)\s+(?P<name>\w+)", own=False),
        ),
        line_comment=_HASH,
        block_comment=None,
    ),
    Language(
        name="fortran",
        extensions=("f", "f90", "f95", "f03", "f08", "for", "ftn"),
        lines=(
            LineRule("type", r"\s*(?i:type)(?:\s*,[^:]*)?(?:\s*::)?\s+(?P<name>\w+)\s*$", ends="indent"),
            LineRule("module", r"\s*(?i:module|program)\s+(?!procedure)(?P<name>\w+)\s*$", ends="indent"),
            LineRule(
                "function",
                r"\s*(?i:(?:\w+(?:\([^)]*\))?\s+)*(?:subroutine|function))\s+(?P<name>\w+)\s*\(",
                ends="indent",
            ),
        ),
        line_comment=("!",),
        block_comment=None,
    ),
    Language(
        name="vim",
        extensions=("vim",),
        filenames=(".vimrc", "vimrc"),
        lines=(
            LineRule("function", r"\s*(?:export\s+)?(?:fu|func|function|def)!?\s+(?P<name>[\w:#.<>]+)", ends="indent"),
            LineRule("command", r"\s*com(?:mand)?!?\s+(?:-\S+\s+)*(?P<name>[A-Z]\w*)", own=False),
        ),
        line_comment=('"', "#"),
        block_comment=None,
    ),
    Language(
        name="tcl",
        extensions=("tcl",),
        shebangs=("tclsh", "wish"),
        lines=(LineRule("function", r"\s*(?:proc|method|oo::class create|namespace eval)\s+(?P<name>\S+)"),),
        line_comment=_HASH,
        block_comment=None,
    ),
    Language(
        name="awk",
        extensions=("awk",),
        shebangs=("awk", "gawk", "mawk"),
        lines=(LineRule("function", r"(?:function|func)\s+(?P<name>\w+)"), LineRule("block", r"(?P<name>BEGIN|END)\b")),
        line_comment=_HASH,
        block_comment=None,
    ),
    Language(
        name="glsl",
        extensions=("glsl", "vert", "frag", "comp", "geom", "hlsl", "fx", "wgsl", "metal"),
        lines=(
            LineRule("struct", r"\s*(?:struct|cbuffer)\s+(?P<name>\w+)"),
            LineRule("macro", r"\s*#\s*define\s+(?P<name>\w+)", own=False),
            LineRule(
                "variable",
                r"(?:layout\s*\([^)]*\)\s*)?(?:uniform|varying|attribute|in|out)\s+(?:\w+\s+)?\w+\s+(?P<name>\w+)\s*[;\[]",
                own=False,
            ),
            LineRule("function", r"\s*(?:(?:@?[\w<>(),]+)\s+)+(?P<name>\w+)\s*\([^;]*$"),
        ),
    ),
    Language(
        name="verilog",
        extensions=("v", "sv", "svh", "vh"),
        lines=(
            LineRule("module", r"\s*(?:module|interface|package|class|program)\s+(?P<name>\w+)", ends="indent"),
            LineRule(
                "function", r"\s*(?:function|task)\s+(?:\w+\s+|\[[^\]]*\]\s*)*?(?P<name>\w+)\s*[(;]", ends="indent"
            ),
        ),
    ),
    Language(
        name="assembly",
        extensions=("s", "asm"),
        lines=(LineRule("function", r"(?P<name>[A-Za-z_$][\w$.]*):", ends="next"),),
        line_comment=("#", ";", "//", "@"),
    ),
)
