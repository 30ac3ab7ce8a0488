"""What people call languages: `C++`, `golang`, `py`. The names that results have are those of the table of languages.

The indexer heeds them in .gitattributes (`linguist-language=PHP`), the searcher in its filter. The table is the
indexer's (indexer/languages/table.py); a test compares the two.
"""

from __future__ import annotations

# A language's name in the table, and what else it is called: its extensions, and names that are in use elsewhere.
_CALLED: dict[str, str] = {
    "python": "py pyi pyw pyx pxd bzl bazel py3 python3 cython starlark pyrex",
    "javascript": "js mjs cjs jsx es6 node nodejs ecmascript",
    "typescript": "ts mts cts",
    "tsx": "typescriptreact",
    "go": "golang",
    "rust": "rs",
    "java": "",
    "c": "h",
    "cpp": "cc cxx c++ hh hpp hxx h++ ipp tpp inl inc ino cu cuh cplusplus cuda arduino",
    "csharp": "cs csx c#",
    "ruby": "rb rake gemspec ru builder jbuilder podspec thor jruby",
    "php": "phtml php3 php4 php5 phps php7 php8",
    "swift": "",
    "kotlin": "kt kts",
    "scala": "sc sbt",
    "elixir": "ex exs",
    "haskell": "hs hs-boot",
    "lua": "rockspec luau",
    "bash": "sh zsh ksh bats ebuild command shell shellscript shell-script posix-shell",
    "zig": "zon",
    "dart": "",
    "julia": "jl",
    "perl": "pl pm t psgi plx perl5",
    "sql": "psql ddl pgsql plsql plpgsql tsql",
    "html": "htm xhtml hbs jinja j2 njk erb ejs mustache html5 handlebars html+erb html+php jinja2 html+jinja",
    "vue": "vuejs",
    "svelte": "",
    "css": "pcss scss less css3 postcss",
    "json": "jsonc json5 webmanifest geojson har avsc json-with-comments",
    "jupyter": "ipynb jupyter-notebook notebook",
    "toml": "",
    "hcl": "tf tfvars nomad terraform opentofu",
    "solidity": "sol",
    "r": "rlang rscript",
    "ocaml": "ml mli mll mly",
    "fsharp": "fs fsi fsx f#",
    "elm": "",
    "clojure": "clj cljs cljc edn bb clojurescript",
    "lisp": "lsp el scm rkt ss cl common-lisp emacs-lisp elisp scheme racket",
    "erlang": "erl hrl escript",
    "groovy": "gradle gvy jenkinsfile",
    "powershell": "ps1 psm1 psd1 pwsh posh",
    "objective-c": "m mm objc objectivec obj-c objective-c++ objc++",
    "d": "di dlang",
    "nim": "nims nimble nimrod",
    "crystal": "cr",
    "gdscript": "gd",
    "fortran": "f f90 f95 f03 f08 for ftn fortran-free-form fortran77",
    "vim": "vim-script viml vimscript",
    "tcl": "",
    "awk": "gawk mawk nawk",
    "glsl": "vert frag comp geom hlsl fx wgsl metal shader shaderlab",
    "verilog": "v sv svh vh systemverilog",
    "assembly": "s asm assembler nasm gnu-assembler unix-assembly",
    "markdown": "md mdown mkd mdx qmd rmd gfm",
    "rst": "rest restructuredtext",
    "asciidoc": "adoc",
    "org": "org-mode",
    "latex": "tex sty cls",
    "dockerfile": "containerfile docker",
    "make": "mk mak makefile gnumake just justfile",
    "cmake": "",
    "protobuf": "proto protodevel protocol-buffer protocol-buffers protobuffer",
    "thrift": "",
    "graphql": "graphqls gql",
    "prisma": "",
    "nix": "",
    "batch": "bat cmd batchfile dosbatch winbatch",
    "yaml": "yml cff",
    "ini": "cfg conf properties editorconfig service desktop gitconfig dosini java-properties git-config",
    "xml": "xsd xsl xslt svg csproj props targets plist storyboard xib pom",
    "text": "txt log diff patch plain plaintext plain-text",
}

# The language by what it is called, in lower case and with hyphens for spaces.
ALIASES: dict[str, str] = {
    alias: language for language, called in _CALLED.items() for alias in (language, *called.split())
}


def language_named(text: str) -> str | None:
    """Return the language, as results name it, that a name means in any case (`C++`, `Vim Script`, `.rs`), or None."""
    name = text.strip().lower().replace("_", "-").replace(" ", "-")
    return ALIASES.get(name) or ALIASES.get(name.removeprefix("."))
