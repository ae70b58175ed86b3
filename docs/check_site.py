# SPDX-License-Identifier: Apache-2.0
"""Open every built page in a headless browser: ``python docs/check_site.py``.

Complains about links that lead nowhere, pictures that do not load, errors in the
browser's console and pages wider than the window, on a desktop and on a phone.
"""

import functools
import http.server
import pathlib
import shutil
import sys
import threading

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

SITE = pathlib.Path(__file__).parent / "_build" / "html"
WINDOWS = {"desktop": (1280, 900), "phone": (390, 844)}
LOOK = """
return {
  links: [...document.querySelectorAll('a[href]')].map(a => a.href),
  missing: [...document.images].filter(i => !(i.complete && i.naturalWidth))
           .map(i => i.src),
  pictures: document.querySelectorAll('article img').length,
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
}
"""
# Pages that must have a picture.
ILLUSTRATED = (
    "auto_examples/index.html",
    "guide/samplers.html",
    "guide/quantized.html",
)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A file server that logs nothing."""

    def log_message(self, *args):
        """Drop the message."""


def serve():
    """Return the address of a server of the site."""
    handler = functools.partial(Quiet, directory=SITE)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


def browser():
    """Return a headless browser that keeps its console."""
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = shutil.which("chromedriver")
    if driver is None:
        sys.exit("check_site needs chromedriver and its browser on the PATH.")
    return webdriver.Chrome(options=options, service=Service(driver))


def resize(driver, size):
    """Give the page exactly this size, narrower than a window can be made."""
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False},
    )


def complaints(driver, root, page):
    """Yield what is wrong with one page."""
    for name, size in WINDOWS.items():
        resize(driver, size)
        driver.get(root + page)
        seen = driver.execute_script(LOOK)
        if seen["wide"] > 0:
            yield f"{page} is {seen['wide']} pixels too wide on a {name}"
    for entry in driver.get_log("browser"):
        if entry["level"] == "SEVERE":
            yield f"{page}: {entry['message']}"
    for picture in seen["missing"]:
        yield f"{page} lacks the picture {picture}"
    if page in ILLUSTRATED and not seen["pictures"]:
        yield f"{page} has no picture"
    for link in sorted(set(seen["links"])):
        if not link.startswith(root):
            continue
        path, _, anchor = link.removeprefix(root).partition("#")
        target = SITE / (path.partition("?")[0] or "index.html")
        if not target.exists():
            yield f"{page} links to {path}, which does not exist"
        elif anchor and target.suffix == ".html" and anchor not in names(target):
            yield f"{page} links to {path}#{anchor}, which is not on that page"


@functools.cache
def names(page):
    """Return the text of a page in which an anchor must occur as an id."""
    return page.read_text()


def main():
    """Check every page; exit with the number of complaints."""
    pages = sorted(str(path.relative_to(SITE)) for path in SITE.rglob("*.html"))
    pages = [page for page in pages if not page.startswith("_static")]
    root, driver, found = serve(), browser(), 0
    try:
        for page in pages:
            for complaint in complaints(driver, root, page):
                print(complaint)
                found += 1
    finally:
        driver.quit()
    print(f"{len(pages)} pages, {found} complaints")
    return int(not pages or found > 0)


if __name__ == "__main__":
    sys.exit(main())
