"""`python -m docs_site [OUT]`: build the site; ends with 1 where anything is wrong with it."""

import sys
from pathlib import Path

from docs_site.build import build

out = Path(sys.argv[1] if len(sys.argv) > 1 else "site")
wrong = build(out)
for sentence in wrong:
    print(sentence, file=sys.stderr)
if wrong:
    sys.exit(1)
print(
    f"Open {out / 'index.html'} in a browser; to search, serve it: python -m http.server -d {out}"
)
