"""The texts of the stored reference vectors: what code search meets, and what breaks encoders."""

# ruff: noqa: E501

from __future__ import annotations

CODE = [
    'def authenticate(user, password):\n    """Check a password."""\n    return hashlib.sha256(password).hexdigest() == user.digest\n',
    "class LRUCache(OrderedDict):\n    def __getitem__(self, key):\n        value = super().__getitem__(key)\n        self.move_to_end(key)\n        return value\n",
    "async def fetch(session, url):\n    async with session.get(url) as response:\n        return await response.json()\n",
    "function debounce(fn, ms) {\n  let timer;\n  return (...args) => {\n    clearTimeout(timer);\n    timer = setTimeout(() => fn(...args), ms);\n  };\n}\n",
    "export const useTheme = () => useContext(ThemeContext);\n",
    "interface Props<T extends object> { items: readonly T[]; onSelect?: (item: T) => void }\n",
    'func (s *Server) ListenAndServe() error {\n\tln, err := net.Listen("tcp", s.Addr)\n\tif err != nil {\n\t\treturn err\n\t}\n\treturn s.Serve(ln)\n}\n',
    "impl<T: Clone> Stack<T> {\n    pub fn push(&mut self, item: T) { self.items.push(item); }\n    pub fn pop(&mut self) -> Option<T> { self.items.pop() }\n}\n",
    "public final class Retry {\n  public static <T> T withBackoff(Callable<T> call, int times) throws Exception {\n    for (int i = 0; ; i++) try { return call.call(); } catch (IOException e) { if (i == times) throw e; Thread.sleep(1L << i); }\n  }\n}\n",
    "static int\nuv__stream_open(uv_stream_t* stream, int fd, int flags) {\n  assert(fd >= 0);\n  stream->flags |= flags;\n  return 0;\n}\n",
    "template <typename Iterator>\nvoid insertion_sort(Iterator first, Iterator last) {\n  for (auto i = first; i != last; ++i)\n    std::rotate(std::upper_bound(first, i, *i), i, std::next(i));\n}\n",
    "SELECT u.name, count(*) FROM users u JOIN orders o ON o.user_id = u.id GROUP BY u.name HAVING count(*) > 3;\n",
    '#!/bin/sh\nset -eu\nfor f in "$@"; do\n  gzip -dc "$f" | awk \'{ print $1 }\'\ndone\n',
    "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 3\n",
    "# Installation\n\nRun `pip install kuberian`, then `kuberian index .` in your project.\n",
    "module Main where\n\nfibs :: [Integer]\nfibs = 0 : 1 : zipWith (+) fibs (tail fibs)\n",
    '(defn fizz [n] (cond (zero? (mod n 15)) "FizzBuzz" :else n))\n',
    '<div class="card" *ngFor="let item of items">{{ item.title | uppercase }}</div>\n',
    "x = np.einsum('bhqd,bhkd->bhqk', q, k) / np.sqrt(d)\n",
    "mov eax, [ebp+8]\nadd eax, [ebp+12]\nret\n",
    "@app.route('/login', methods=['GET', 'POST'])\ndef login():\n    return render_template('login.html')\n",
    "val (evens, odds) = (1 to 100).partition(_ % 2 == 0)\n",
    "let rec map f = function [] -> [] | x :: xs -> f x :: map f xs\n",
    "CREATE INDEX CONCURRENTLY idx_events_time ON events USING brin (created_at);\n",
]

QUESTIONS = [
    "where is auth",
    "how are database connections pooled?",
    "which function parses command line arguments",
    "retry a failed HTTP request with exponential backoff",
    "WHERE IS THE RATE LIMITER CONFIGURED",
    "getUserByEmail",
    "snake_case_identifier_with_many_parts",
    "TypeError: 'NoneType' object is not subscriptable",
    "thread safety of the cache",
    "difference between serialize and deserialize",
]

ODD = [
    "",
    " ",
    "\n\n\t\n",
    "a",
    "the",
    "0",
    "\u7684",
    "?",
    "}",
    "\U0001f600",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 family \U0001f1e9\U0001f1ea flag \U0001f44d\U0001f3fd",
    "\u4ee3\u7801\u641c\u7d22\u5f15\u64ce\u5728\u54ea\u91cc\u5904\u7406\u8eab\u4efd\u9a8c\u8bc1\uff1f",
    "\u8a8d\u8a3c\u306f\u3069\u3053\u3067\u884c\u308f\u308c\u3066\u3044\u307e\u3059\u304b",
    "\uc778\uc99d\uc740 \uc5b4\ub514\uc5d0\uc11c \ucc98\ub9ac\ub429\ub2c8\uae4c",
    "\u0433\u0434\u0435 \u043f\u0440\u043e\u0432\u0435\u0440\u044f\u0435\u0442\u0441\u044f \u043f\u0430\u0440\u043e\u043b\u044c",
    "\u05d0\u05d9\u05e4\u05d4 \u05d4\u05d0\u05d9\u05de\u05d5\u05ea \u0623\u064a\u0646 \u0627\u0644\u0645\u0635\u0627\u062f\u0642\u0629",
    "na\u00efve caf\u00e9 \u00dcbergr\u00f6\u00dfe \u0130stanbul \ufb01ne",
    "null\x00byte and \x07 bell \x1b[31mred\x1b[0m",
    "zero\u200bwidth\u00adsoft\ufeffbom \u2028 line \u2029 para",
    "e\u0301 a\u0300 combining \u0915\u094d\u0937\u093f devanagari",
    "\ufffd\ufffd \ue000 private \U00010348 gothic",
    "[CLS] [SEP] [MASK] [PAD] [UNK]",
    "antidisestablishmentarianism" * 6,
    "x" * 101,
    "==================== !!!! ---- //// ####",
    "1234567890 0xDEADBEEF 3.14159e-10 1_000_000",
    "\t\tindented\r\nwindows\r\nlines\r\n",
]

LONG = [
    "def f():\n" + "".join(f"    value_{i} = compute(value_{i - 1}, {i * 37 % 101})\n" for i in range(1, 90)),
    "the quick brown fox jumps over the lazy dog. " * 80,
    "\u4e2d\u6587" * 400,
    "word " * 254,  # 256 tokens with the special ones: just what fits
    "word " * 255,  # one more
    "{" * 700,
]

TEXTS = CODE + QUESTIONS + ODD + LONG
