"""The projects that the questions about functions are of: public repositories, each at one commit.

It measures nothing: `benchmarks.functions` makes questions of these projects. Those of the part "fit" are there to fit
to; those of the part "judge" only tell how good the search is. No project is a copy of, or split off, one of the other
part.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Project:
    """A repository at one commit, and the language that is asked for in it."""

    name: str  # "owner/name"
    language: str
    commit: str
    part: str  # "fit" or "judge"
    # A regular expression of paths that are left out: copies that a build made, and what would only take time.
    without: str = ""

    @property
    def folder(self) -> str:
        """The name of its folders."""
        return self.name.replace("/", "+")


PROJECTS: tuple[Project, ...] = (
    Project("arrow-py/arrow", "python", "b247ad073d4c350270528edb5afff8e7f4f7d9e4", "fit"),
    Project("pypa/packaging", "python", "053c884615f2e83d80705251b447769ec2599653", "fit", r"^tests/"),
    Project("python-attrs/attrs", "python", "c1dc5dcba16ed827aa6dcad896b41a3afedb4e32", "judge", r"^tests/"),
    Project(
        "tornadoweb/tornado",
        "python",
        "e530031405e2154654dedc4c84d5656b557ea310",
        "judge",
        r"^(?:demos|docs|tornado/test)/",
    ),
    Project("moment/luxon", "javascript", "b6b9d03709085008287ed7f4ce5067f0f4be53f2", "fit", r"^(?:docs|test)/"),
    Project(
        "caolan/async", "javascript", "77fd31096b7b421d6cd6be84757c767e0b35b9fd", "fit", r"^(?:dist|docs|support)/"
    ),
    Project(
        "jashkenas/underscore",
        "javascript",
        "e70d5bd070f1d883b40e786a955a61e4f4b3c2c6",
        "judge",
        r"^(?:amd|cjs|docs|test|test-treeshake)/|^underscore",
    ),
    Project("chartjs/Chart.js", "javascript", "cb02e1d207bd4c4c40b20c259017f85f26f1e30a", "judge", r"^(?:docs|test)/"),
    Project("sindresorhus/got", "typescript", "d00d845a0b435365ec73ea5a1fca6e17ee677184", "fit", r"^test/"),
    Project(
        "gcanti/fp-ts",
        "typescript",
        "e91bde112e0a2a4e617e8fc7f7a62ea4c10ba404",
        "fit",
        r"^(?!src/)|^src/(?:IO|Reader|State|Task)",
    ),
    Project(
        "mikro-orm/mikro-orm",
        "typescript",
        "a6b9730585e467720b90390a1de706e0f4b8726c",
        "judge",
        r"^(?!packages/core/src/(?:cache|entity|events|hydration|metadata|naming-strategy|unit-of-work|utils)/)",
    ),
    Project("microsoft/tsyringe", "typescript", "e033769d97cfb6cc4a8569e2b50eb32015453302", "judge"),
    Project("apache/commons-csv", "java", "d9b9f062b84ea02a30a7817789a2bb71a21c51a9", "fit", r"^src/test/"),
    Project(
        "FasterXML/jackson-core",
        "java",
        "b367da1c30a25e99fbf2c30876e948b578c86846",
        "fit",
        r"^src/test/|/json/async/|/(?:filter|io|sym)/|release-notes",
    ),
    Project("jhy/jsoup", "java", "46b620860af930eedc193a705eaf7cea5aec89a6", "judge", r"^src/test/"),
    Project(
        "JodaOrg/joda-time",
        "java",
        "7088d772689b751d3e182833970290d05311bf35",
        "judge",
        r"^src/(?:changes|conf|site|test)/|/(?:chrono|convert|field|tz)/|/(?:Days|Hours|Minutes|Months|Seconds|Weeks|Years)\.java",
    ),
    Project(
        "Kotlin/kotlinx-datetime",
        "kotlin",
        "c006a0f07dc129d8afa3760f3f4c01c6bd2d2296",
        "fit",
        r"[tT]est/|/(?:androidNative|darwin|js|linux|wasm\w*|windows)/",
    ),
    Project(
        "cashapp/sqldelight",
        "kotlin",
        "f79bd8ae2cf991de6dccdb643376253402f665e1",
        "fit",
        r"^(?!runtime/|extensions/|drivers/|sqldelight-compiler/)|[tT]est/",
    ),
    Project("square/kotlinpoet", "kotlin", "be2de914ce6eb3694092ed4e0f28626cbce1ffe0", "judge", r"[tT]est/|^docs/"),
    Project(
        "Kotlin/kotlinx.serialization",
        "kotlin",
        "370c4e3780066b82f746cf38e4733cbe62c94f74",
        "judge",
        r"Test/|^(?:benchmark|docs|guide|integration-test)/|^formats/(?!json)|CHANGELOG",
    ),
    Project("sirupsen/logrus", "go", "87434bb3a736e2a27d34df66924471714f408d3d", "fit"),
    Project("hashicorp/raft", "go", "1837036daf50bd973bcb0f3fc536b2d451cebf5d", "fit"),
    Project("gorilla/mux", "go", "db9d1d0073d27a0a2d9a8c1bc52aa0af4374d265", "judge"),
    Project("prometheus/client_golang", "go", "89c60c0554699c74fa3d4eec472b98a3108905e3", "judge", r"_test\.go$"),
    Project("tokio-rs/bytes", "rust", "d5c8ad3227afe459c09f1d0d85455abf00f0381a", "fit"),
    Project("chronotope/chrono", "rust", "b04c42fda83ff5fbbad0503ae4325c92edc3c01b", "fit"),
    Project(
        "crossbeam-rs/crossbeam",
        "rust",
        "7de845aa13ce5d80084ce0889e014ae0aa0d19ce",
        "judge",
        r"/(?:benches|examples|tests)/",
    ),
    Project("rust-itertools/itertools", "rust", "af6d17d3f4a963c087e81b327b957966e1169ff5", "judge"),
    Project("DaveGamble/cJSON", "c", "a29814f285cc531c00223743ad3c55cd38c0dc56", "fit", r"^tests/"),
    Project(
        "lz4/lz4",
        "c",
        "d9c01a3d49114dc28e2dfbbc0a8990e88be7b694",
        "fit",
        r"^(?:build|contrib|doc|ossfuzz|tests)/|xxhash",
    ),
    Project(
        "libevent/libevent",
        "c",
        "0c3e47ad5f654714e39bae3f8689a3446599b614",
        "judge",
        r"^(?:cmake|m4|sample|test)/|ChangeLog|whatsnew|^(?:evdns|http|bufferevent_\w+)\.c",
    ),
    Project("nghttp2/nghttp2", "c", "692c8d8fce4f31ba2a9449b903877543043b0e3f", "judge", r"^(?!lib/)"),
    Project("google/re2", "cpp", "972a15cedd008d846f1a39b2e88ce48d7f166cbd", "fit", r"/(?:fuzzing|testing)/"),
    Project(
        "taskflow/taskflow", "cpp", "83f90a279aaab33fd4ce1deed00ca07819cbc8f8", "judge", r"^(?!taskflow/|examples/)"
    ),
    Project("google/benchmark", "cpp", "267a11154f14269384879dc7f6b8d25acb3684db", "judge", r"^(?:docs|test)/"),
    Project("serilog/serilog", "csharp", "60935b4d7abad71cf6157b45a10f5c3c65ead527", "fit", r"^test/"),
    Project("restsharp/RestSharp", "csharp", "9b2fe0a054eb732d4246ae5e117ffa02c703abd2", "fit", r"^(?:docs|gen|test)/"),
    Project(
        "FluentValidation/FluentValidation",
        "csharp",
        "ea299fe59719950018fa240dab86da414190d7f4",
        "judge",
        r"^docs/|Tests",
    ),
    Project("jbogard/MediatR", "csharp", "8a64581e2570e7410c5f44835d9ea112beccbe6b", "judge"),
    Project("ruby/rake", "ruby", "474500ab2eec41ef28068e18e30f84fa412a098f", "fit"),
    Project(
        "sidekiq/sidekiq",
        "ruby",
        "1bb4aa06e5aa178a114a5e855f9f3d5c24f6c61b",
        "fit",
        r"^(?:docs|test|web/locales)/|Changes",
    ),
    Project("lostisland/faraday", "ruby", "59334e0e9b1918bd26b143f4a7bbc8c765de3ac4", "judge"),
    Project("hanami/hanami", "ruby", "5948958cd14d98e43dde814d3754d57156236b7a", "judge", r"^spec/"),
    Project(
        "nikic/PHP-Parser",
        "php",
        "fbd47f7ebcbb450138d92642a0a53b72a5285dda",
        "fit",
        r"^(?:doc|grammar|test|test_old)/|/Parser/Php",
    ),
    Project("twigphp/Twig", "php", "f3db1d1a0c5cc21fad255bd6690bbde16d378459", "fit", r"^(?:doc|tests)/"),
    Project("symfony/console", "php", "6b099f3306f7c9c2d2786ed736d0026b2903205f", "judge", r"^Tests/"),
    Project(
        "briannesbitt/Carbon", "php", "b13f05955dcfd7da71d60af745fd148cbdb73505", "judge", r"^src/Carbon/Lang/|^tests/"
    ),
    Project("apple/swift-argument-parser", "swift", "2f77f2fccb6e84fecff338c37b199e33e7dfd119", "fit", r"^Tests/"),
    Project("apple/swift-log", "swift", "7af2de138f5f0fddf0bd5c7e19face6944ed76af", "fit"),
    Project("apple/swift-algorithms", "swift", "5b7143f8e291dee0e14c118fd0212487f0b37af5", "judge"),
    Project("Quick/Nimble", "swift", "035b88ad6ae8035f5ce2b50b0a6d69c3b16d2120", "judge", r"^Tests/"),
    Project("com-lihaoyi/os-lib", "scala", "e237000cbd4d97a4c4463df43d64556130d2bc50", "fit"),
    Project("com-lihaoyi/upickle", "scala", "004ed7e17271635d9e80fcfe8c46e4a5a9f1423c", "fit", r"/test/"),
    Project(
        "typelevel/cats-effect",
        "scala",
        "28e774e8e3dba052555271d6fac21bcd3c71f757",
        "judge",
        r"^(?!core/shared/|kernel/|std/shared/)",
    ),
    Project(
        "scalameta/scalameta",
        "scala",
        "56a411ea0957d2ce3f9af9e13450273544c63402",
        "judge",
        r"^(?!scalameta/(?:common|io|testkit|tokens|transversers))",
    ),
    Project("elixir-tesla/tesla", "elixir", "556014d132eef1c9e4e38e9d2378a45f0c91b515", "fit"),
    Project("bitwalker/timex", "elixir", "5ad1b8206977ebffb3bf72f88c18d490c36151c8", "fit", r"^(?:priv|test)/"),
    Project("sorentwo/oban", "elixir", "412b56a0c2ba4399ec39f1305b63eb285673b226", "judge"),
    Project("elixir-gettext/gettext", "elixir", "d3d30467de9a06b1d8c30b2845c6e045743d1acf", "judge"),
    Project("nvim-lua/plenary.nvim", "lua", "b9fd5226c2f76c951fc8ed5923d85e4de065e509", "fit"),
    Project("lunarmodules/busted", "lua", "901de7d0d0a6128e240b5beca5359621e12b0331", "fit"),
    Project(
        "koreader/koreader",
        "lua",
        "fc88887662c27fbef956a46d7772f2dde1658384",
        "judge",
        r"^(?!frontend/(?!apps/|device/|ui/))",
    ),
    Project("haskell/bytestring", "haskell", "da6f41a98397967a953ad8d00c7f1b9bb23fa713", "fit"),
    Project(
        "haskell/text",
        "haskell",
        "423fd981e576bd17a8b5fa48d0ad6b9a0c370e77",
        "fit",
        r"^(?:benchmarks|scripts|simdutf|tests)/|/CaseMapping",
    ),
    Project("snoyberg/conduit", "haskell", "6b98f070fea09a3bf0a5d0897a2e27e3aa91c8fe", "judge"),
    Project("mrkkrp/megaparsec", "haskell", "ffe92f9b574cbc3f77c4583989fc9fe15b27701c", "judge"),
    Project("dart-lang/shelf", "dart", "fb3f931d2c158d794e83c1b76b7be4b625db3c28", "fit"),
    Project(
        "rrousselGit/provider",
        "dart",
        "6cfb56aec9f405dae0030d78f43bf4817265c5eb",
        "fit",
        r"^resources/|README|CHANGELOG|/test/",
    ),
    Project(
        "dart-lang/dart_style",
        "dart",
        "39edc2d946a5d7bd1caf6f1695f366b00f7b873c",
        "judge",
        r"^(?:benchmark|test)/|CHANGELOG|/short/",
    ),
    Project(
        "dart-lang/core",
        "dart",
        "25926e846003a123e5249df42c5a1ce30c246e3a",
        "judge",
        r"^(?!pkgs/(?:args|async|collection|path)/)|/test/",
    ),
    Project("zigzap/zap", "zig", "76679f308c702cd8880201e6e93914e1d836a54b", "fit", r"^facil"),
    Project("karlseguin/http.zig", "zig", "86a44b63bda353338f2dbddc35eeb260f0f5c299", "fit"),
    Project("mitchellh/libxev", "zig", "a82a04eabb46b0611c72d6d0e32db2d9dcf2e745", "judge"),
    Project("JuliaGraphs/Graphs.jl", "julia", "356aa7213c036aa18c00d8a22ed620229b89fd7a", "fit", r"^(?:docs|test)/"),
    Project("JuliaIO/JLD2.jl", "julia", "db85b709a18c3b4998d323b314e1884dfd90fb99", "fit"),
    Project("JuliaWeb/HTTP.jl", "julia", "444b92b5df2d3d38793fccc50a67e3b5a498d3ec", "judge", r"^(?:docs|test)/"),
    Project("JuliaLang/Pkg.jl", "julia", "e52498951d1169fca898632ba14741c3883b1b4e", "judge", r"^(?:docs|test)/"),
)


def bare_clone(project: Project, mirrors: Path | None, folder: Path) -> Path:
    """Return a bare clone that has the project's commit: the one below `mirrors`, else one that is made in `folder`.

    Raises FileNotFoundError if the clone lacks the commit.
    """
    if mirrors is not None:
        clone = mirrors / project.folder / "repo"
    else:
        clone = folder / f"{project.folder}.git"
        if not clone.exists():
            folder.mkdir(parents=True, exist_ok=True)
            url = f"https://github.com/{project.name}"
            subprocess.run(["git", "clone", "--quiet", "--bare", url, str(clone)], check=True)
    probe = ["git", "--git-dir", str(clone), "cat-file", "-e", f"{project.commit}^{{tree}}"]
    if not clone.is_dir() or subprocess.run(probe, capture_output=True, check=False).returncode:
        raise FileNotFoundError(f"{clone} has no commit {project.commit} of {project.name}")
    return clone
