"""Write the generated pages. Run `python -m docs.generate` in the project's root."""

from pathlib import Path

from docs.generate import PAGES

for name, text in PAGES.items():
    Path(name).write_text(text(), encoding="utf-8")
    print(f"wrote {name}")
