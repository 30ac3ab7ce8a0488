"""Rows of the language table for data, markup and settings with a grammar in a wheel."""

from __future__ import annotations

from indexer.languages.language import Language, Rule, node_types

_HASH = ("#",)

ROWS: tuple[Language, ...] = (
    Language(
        name="sql",
        extensions=("sql", "psql", "ddl", "pgsql"),
        grammar="tree_sitter_sql:language",
        rules={
            "create_table": Rule("table", name="<object_reference>", body="<column_definitions>"),
            "create_view": Rule("view", name="<object_reference>", body="<create_query>"),
            "create_materialized_view": Rule("view", name="<object_reference>", body="<create_query>"),
            "create_function": Rule("function", name="<object_reference>", body="<function_body>"),
            "create_trigger": Rule("trigger", name="<object_reference>", body=""),
            "create_type": Rule("type", name="<object_reference>", body=""),
            "create_index": Rule("index", name="column", body=""),
            "create_sequence": Rule("sequence", name="<object_reference>", body=""),
            "column_definition": Rule("column", own=False),
            "alter_table": Rule("statement", name="<object_reference>", body=""),
            "insert": Rule("statement", name="<object_reference>", body=""),
        },
        wrappers=node_types("statement"),
        line_comment=("--", "#"),
    ),
    *(
        Language(
            name=name,
            extensions=extensions,
            grammar="tree_sitter_html:language",
            scripts=True,
            rules={
                "script_element": Rule("script", name="<start_tag>/<tag_name>", body="<raw_text>"),
                "style_element": Rule("style", name="<start_tag>/<tag_name>", body="<raw_text>"),
                "element": Rule(
                    "element", name="<start_tag>/<attribute>", body="", only="<start_tag>/<attribute>~id=.*"
                ),
            },
            line_comment=(),
            block_comment=("<!--", "-->"),
        )
        for name, extensions in (
            ("html", ("html", "htm", "xhtml", "hbs", "jinja", "j2", "njk", "erb", "ejs", "mustache")),
            ("vue", ("vue",)),
            ("svelte", ("svelte",)),
        )
    ),
    Language(
        name="css",
        extensions=("css", "pcss", "scss", "less"),
        grammar="tree_sitter_css:language",
        rules={
            "rule_set": Rule("rule", name="<selectors>", body="<block>"),
            "media_statement": Rule("rule", name="", body="<block>"),
            "keyframes_statement": Rule("rule", name="<keyframes_name>", body="<keyframe_block_list>"),
            "supports_statement": Rule("rule", name="", body="<block>"),
        },
    ),
    Language(
        name="json",
        extensions=("json", "jsonc", "json5", "webmanifest", "geojson", "har", "avsc"),
        filenames=(".babelrc", ".eslintrc", ".prettierrc", ".jshintrc", ".swcrc", "composer.json"),
        grammar="tree_sitter_json:language",
        rules={"pair": Rule("key", name="key", body="", only="value=object|array")},
    ),
    Language(
        name="toml",
        extensions=("toml",),
        filenames=("Pipfile", "Cargo.toml"),
        grammar="tree_sitter_toml:language",
        rules={
            "table": Rule("section", name="<dotted_key>|<bare_key>|<quoted_key>", body=""),
            "table_array_element": Rule("section", name="<dotted_key>|<bare_key>|<quoted_key>", body=""),
        },
        line_comment=_HASH,
        block_comment=None,
    ),
    Language(
        name="hcl",
        extensions=("tf", "hcl", "tfvars", "nomad"),
        grammar="tree_sitter_hcl:language",
        rules={"block": Rule("block", name="", body="<block_start>")},
        line_comment=("#", "//"),
    ),
)
