"""What the checks of a page are made of: what the command says in other formats, and what the page shows."""

import json
import os
import subprocess
import time
from collections import Counter


class Failed(Exception):
    pass


def expect(condition, *facts):
    if not condition:
        raise Failed(" ".join(str(fact) for fact in facts))


def close(a, b, tolerance=1e-6):
    return abs(a - b) <= tolerance + 1e-9


class Page:
    """A report's page in the browser, and the same report in other formats."""

    def __init__(self, reporter, trace, folder, shots):
        self.reporter, self.trace, self.folder, self.shots = reporter, trace, folder, shots
        self.page = os.path.join(folder, "report.html")
        self.failures = 0

    # What the command says in other formats

    def text(self, *options):
        return subprocess.run([self.reporter, self.trace, *options], check=True, capture_output=True, text=True).stdout

    def json(self, *options):
        return json.loads(self.text("--format", "json", *options))

    def stacks(self, *options):
        for line in self.text("--format", "folded", *options).splitlines():
            frames, weight = line.rsplit(" ", 1)
            yield frames.split(";"), int(weight)

    # What the page says

    def text_of(self, selector):
        return self.browser.js(f"document.querySelector({json.dumps(selector)}).innerText")

    def title_seconds(self, selector):
        title = self.browser.js(f"document.querySelector({json.dumps(selector)}).title")
        return float(title.split(" ")[0])

    def open_tab(self, name):
        self.browser.click_on(f"#tab-{name}")

    def rows(self):
        """The rows of the table: self, total, name, whole name."""
        self.browser.js("while (!document.getElementById('more-rows').hidden) document.getElementById('more-rows').click()")
        return self.browser.js(
            "[...document.querySelectorAll('#table-body tr')].map(row => { const name = row.querySelector('.name');"
            "return [parseFloat(row.cells[0].title), parseFloat(row.cells[1].title), name.innerText, name.title]; })")

    def set_search(self, text):
        self.browser.js("const s = document.getElementById('search'); s.focus(); s.select()")
        self.browser.js("document.getElementById('search').value = ''")
        if text:
            self.browser.type(text)
        else:
            self.browser.js("document.getElementById('search').dispatchEvent(new Event('input'))")
        time.sleep(0.12)
        self.browser.settle()

    def bar(self, test, view="flame"):
        """The middle of a bar whose function passes a test in JavaScript, on the screen, and its figures."""
        return self.browser.js(f"""(() => {{
          const app = window.statprof, view = app.{view};
          view.canvas.scrollIntoView({{block: 'center'}});
          for (const level of view.levels) for (const bar of level) {{
            const row = app.rowOf(bar.branch);
            if (row < 0 || bar.width < 4) continue;
            const name = app.model.name(row);
            if (!({test})) continue;
            view.reveal(bar.branch);
            const box = view.canvas.getBoundingClientRect();
            return {{name, x: box.left + bar.x + bar.width / 2, y: box.top + view.top(bar.branch.depth) - view.box.scrollTop + 9,
                     width: bar.width, total: bar.branch.total, depth: bar.branch.depth}};
          }}
          return null;
        }})()""")

    def click_bar(self, test):
        bar = self.bar(test)
        expect(bar, "no bar for which", test)
        self.browser.click(bar["x"], bar["y"])
        return bar

    def tree(self, view="flame", depth=99):
        """The tree of a view as [name, total, children], as deep as asked."""
        return self.browser.js(f"""(() => {{
          const app = window.statprof;
          const copy = (branch, depth) => [branch.key === -1 ? "" : branch.key === -2 ? "[unsampled]" : app.model.name(app.rowOf(branch)), branch.total,
            depth > 0 ? branch.children.map(child => copy(child, depth - 1)) : []];
          return copy(app.{view}.root, {depth});
        }})()""")

    def expect_same_rows(self, report, *facts):
        """The table of functions in the page is the rows of a JSON report, to the microsecond."""
        self.open_tab("table")
        shown = Counter((own, total, whole.split(" (")[0][:40]) for own, total, _, whole in self.rows())
        told = Counter()
        for row in report["rows"]:
            name = "CPU time that the clocks counted and no sample stands for" if row["key"] == "[unsampled]" else row["name"]
            told[(row["self_seconds"], row["total_seconds"], name.split(" (")[0][:40])] += 1
        expect(shown == told, *facts, "only in the page:", list((shown - told))[:5], "only in JSON:", list((told - shown))[:5])

    def pixel(self, x, y):
        return self.browser.js(f"""(() => {{ const c = statprof.flame.canvas, b = c.getBoundingClientRect(), r = devicePixelRatio;
          return [...c.getContext('2d').getImageData(({x} - b.left) * r, ({y} - b.top) * r, 1, 1).data].slice(0, 3).join(); }})()""")

    def color(self, name):
        return self.browser.js(f"statprof.colors.get('{name[2:]}').match(/[0-9.]+/g).slice(0, 3).join()")

    def is_bar_color(self, pixel, name):
        """Whether a pixel has a color, or that under as much white as bars have."""
        pixel, color = ([float(part) for part in text.split(",")] for text in (pixel, self.color(name)))
        return any(all(abs(have - (part + (255 - part) * white)) < 2.5 for have, part in zip(pixel, color)) for white in (0, 0.09, 0.18, 0.27))

    def area(self):
        return self.browser.js("(() => { document.getElementById('tracks').scrollIntoView({block: 'center'});"
                               "const b = document.getElementById('track-area').getBoundingClientRect(); return [b.x, b.width, b.y + 9]; })()")

    def span(self):
        return [self.browser.js(f"document.getElementById('{name}').value") for name in ("from", "to")]

    def expect_span(self, *facts):
        begin, end = self.span()
        report = self.json("--from", begin, "--to", end)
        expect(close(self.title_seconds("#shown-cpu"), report["cpu_seconds"]), begin, end, self.title_seconds("#shown-cpu"), report["cpu_seconds"], *facts)
        expect(f"{report['samples']:,}" in self.text_of("#shown-samples"), *facts)
        return begin, end, report


def contrast(a, b):
    """WCAG 2.2: contrast ratio of two colors."""
    def light(color):
        parts = [float(part) / 255 for part in color.split(",")]
        parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    high, low = sorted((light(a), light(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)
