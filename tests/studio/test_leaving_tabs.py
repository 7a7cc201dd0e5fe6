"""A tab that was left is gone: what comes late for it is drawn nowhere, and nothing of it goes on."""

import json
import threading

from live import until

MAPPED = {
    "map": {"names": ["a"], "labels": ["a"], "clusters": [], "points": [[0, 0]], "neighbours": [[]]},
    "views": [],
    "reasons": [],
    "notes": [],
    "beyond": [],
}


def test_what_comes_late_is_drawn_where_nobody_looks(visit):
    """A map takes seconds; whoever has gone to the walk by then keeps the walk, and it closes when it is left."""
    seen = visit(owner=False)
    asked, come = threading.Event(), []
    seen.page.route("**/api/map?*", lambda route: (come.append(route), asked.set()))
    page = seen.go("map")
    until(page, "document.querySelector('#main.tab-map [role=status]')")
    page.evaluate("location.hash = '#walk?step=8'")
    until(page, "document.querySelector('#main.tab-walk #play')")
    page.wait_for_timeout(50)
    assert asked.is_set()
    come[0].fulfill(status=200, content_type="application/json", body=json.dumps(MAPPED))
    page.wait_for_timeout(300)
    assert page.evaluate("document.querySelectorAll('main').length + ' ' + document.getElementById('main').className") == "1 tab-walk"
    assert page.evaluate("Boolean(document.querySelector('#play')) && !document.querySelector('#map-model')")
    seen.calm()


def test_the_walk_s_training_follows_what_is_changed_and_ends_with_its_step(visit):
    """Choosing a weight in step 8 shows that weight's update; leaving the step while it plays stops the clock."""
    seen = visit(owner=False)
    page = seen.go("walk", step=8)
    until(page, "document.querySelector('#update p.total')")
    first = page.inner_text("#update")
    page.evaluate("location.hash = location.hash + '&w=2.2.2'")
    until(page, f"document.querySelector('#update').innerText !== {json.dumps(first)}")
    page.evaluate("window.running = new Set(); const [begin, end] = [setInterval, clearInterval];"
                  "window.setInterval = (...given) => { const id = begin(...given); window.running.add(id); return id; };"
                  "window.clearInterval = (id) => { window.running.delete(id); end(id); };")  # fmt: skip
    page.click("#play")
    assert page.evaluate("window.running.size") == 1
    page.click("a.button.main")
    until(page, "document.querySelector('h1').textContent.startsWith('9.')")
    assert page.evaluate("window.running.size") == 0
    seen.calm()
