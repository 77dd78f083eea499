"""A headless Chromium with the network cut, told over a pipe what to open; it remembers what a page asked for, logged and popped up."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHROMIUM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--window-size=1280,900",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
)
SECONDS = 30.0


@dataclass
class Visit:
    """What was seen while a page was open: the URLs it asked for, those that failed, console messages, dialogs."""

    requests: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)


class Browser:
    """A Chromium with one tab."""

    def __init__(self, to: int, source: int) -> None:
        self.to, self.source = to, source
        self.rest, self.number, self.session = b"", 0, ""
        self.visit = Visit()
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def open(self, page: Path | str) -> Visit:
        """Open a file, or a page given as HTML, wait until it has loaded and settled, and return what was seen."""
        self.visit = visit = Visit()
        self.loaded = False
        self.call("Page.navigate", url=page.as_uri() if isinstance(page, Path) else f"data:text/html,{page}")
        until = time.monotonic() + SECONDS
        while not self.loaded and time.monotonic() < until:
            self.heard(self.message())
        assert self.loaded, f"not loaded in {SECONDS} s: {page}"
        self.tell("new Promise(done => setTimeout(done, 200))")
        return visit

    def tell(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def call(self, method: str, **params: Any) -> Any:
        """The browser's answer to a command of the DevTools protocol."""
        self.number += 1
        number = self.number
        body = {"id": number, "method": method, "params": params} | ({"sessionId": self.session} if self.session else {})
        os.write(self.to, json.dumps(body).encode() + b"\0")
        while True:
            message = self.message()
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self.heard(message)

    def message(self) -> dict[str, Any]:
        """The next message of the browser."""
        while b"\0" not in self.rest:
            assert select.select([self.source], [], [], SECONDS)[0], f"Chromium said nothing for {SECONDS:.0f} s"
            part = os.read(self.source, 1 << 20)
            assert part, "Chromium ended"
            self.rest += part
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def heard(self, message: dict[str, Any]) -> None:
        """Remember an event."""
        match message.get("method"), message.get("params", {}):
            case "Network.requestWillBeSent", about:
                self.visit.requests.append(about["request"]["url"])
            case "Network.loadingFailed", about:
                self.visit.failed.append(about.get("errorText") or about.get("blockedReason"))
            case "Log.entryAdded", about:
                self.visit.console.append(about["entry"]["text"])
            case "Runtime.consoleAPICalled", about:
                self.visit.console.append(str(about["args"]))
            case "Runtime.exceptionThrown", about:
                self.visit.console.append(about["exceptionDetails"]["text"])
            case "Page.javascriptDialogOpening", about:
                self.visit.dialogs.append(about["message"])
                body = {"id": 0, "method": "Page.handleJavaScriptDialog", "params": {"accept": True}, "sessionId": self.session}
                os.write(self.to, json.dumps(body).encode() + b"\0")
            case "Page.loadEventFired", _:
                self.loaded = True


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser with a profile of its own, ended and removed at the end."""
    assert CHROMIUM, "no Chromium"
    commands, events = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        pipes = f'exec "$0" "$@" 3<&{commands[0]} 4>&{events[1]}'
        process = subprocess.Popen(
            ["bash", "-c", pipes, CHROMIUM, *SWITCHES, f"--user-data-dir={profile}"],
            pass_fds=(commands[0], events[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands[0])
        os.close(events[1])
        try:
            browser = Browser(commands[1], events[0])
            yield browser
            browser.session = ""
            browser.call("Browser.close")
            process.wait(SECONDS)
        finally:
            process.kill()
            process.wait()
            os.close(commands[1])
            os.close(events[0])
