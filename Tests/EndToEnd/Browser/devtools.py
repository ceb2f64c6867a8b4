"""A headless Chromium, driven over its DevTools port (https://chromedevtools.github.io/devtools-protocol/). Standard library only."""

import base64
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import urllib.request

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]


def find():
    return next((path for path in map(shutil.which, NAMES) if path), None)


class WebSocket:
    """A client's end of RFC 6455: text messages, as DevTools sends them."""

    def __init__(self, url):
        host, path = url.removeprefix("ws://").split("/", 1)
        name, port = host.split(":")
        self.socket = socket.create_connection((name, int(port)), timeout=60)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.socket.recv(4096)
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise RuntimeError(f"no web socket: {head!r}")

    def _read(self, count):
        while len(self.buffer) < count:
            piece = self.socket.recv(1 << 20)
            if not piece:
                raise RuntimeError("the browser closed the connection")
            self.buffer += piece
        result, self.buffer = self.buffer[:count], self.buffer[count:]
        return result

    def receive(self):
        message = b""
        while True:
            first, second = self._read(2)
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack(">H", self._read(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", self._read(8))
            payload = self._read(length)
            if first & 0x0F in (0, 1):
                message += payload
                if first & 0x80:
                    return message.decode()

    def send(self, text):
        payload = text.encode()
        head = bytes([0x81])
        if len(payload) < 126:
            head += bytes([0x80 | len(payload)])
        elif len(payload) < 1 << 16:
            head += bytes([0x80 | 126]) + struct.pack(">H", len(payload))
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", len(payload))
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i & 3] for i, byte in enumerate(payload))
        self.socket.sendall(head + mask + masked)


class Browser:
    """One page in a browser of its own. `problems` gathers what the page says on the console, what it throws and what it asks the network."""

    def __init__(self, program=None):
        self.folder = tempfile.mkdtemp(prefix="statprof-browser-")
        self.process = subprocess.Popen(
            [program or find(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
             "--remote-debugging-port=0", f"--user-data-dir={self.folder}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port_file = os.path.join(self.folder, "DevToolsActivePort")
        deadline = time.monotonic() + 60
        while not (os.path.exists(port_file) and open(port_file).read().strip()):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError("the browser did not start")
            time.sleep(0.05)
        port = open(port_file).read().split()[0]
        targets = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list"))
        self.web = WebSocket(next(target for target in targets if target["type"] == "page")["webSocketDebuggerUrl"])
        self.number = 0
        self.events = []
        self.problems = []
        self.url = ""
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        self.number += 1
        self.web.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.web.receive())
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self._event(message)

    def _event(self, message):
        method, facts = message.get("method", ""), message.get("params", {})
        self.events.append(method)
        if method == "Runtime.exceptionThrown":
            details = facts["exceptionDetails"]
            self.problems.append(f"exception: {details.get('exception', {}).get('description', details.get('text'))}")
        elif method == "Runtime.consoleAPICalled":
            self.problems.append(f"console: {[argument.get('value') for argument in facts['args']]}")
        # Advice about pixels that only the checks read.
        elif method == "Log.entryAdded" and "willReadFrequently" not in facts["entry"]["text"]:
            self.problems.append(f"log: {facts['entry']['text']}")
        elif method == "Network.requestWillBeSent" and facts["request"]["url"] not in (self.url, "about:blank"):
            self.problems.append(f"request: {facts['request']['url'][:200]}")

    def open(self, path):
        """Opens a file and waits until it has shown itself. Returns the seconds that took."""
        self.url = "file://" + os.path.abspath(path)
        begin = time.monotonic()
        self.call("Page.navigate", url=self.url)
        while not self.js("document.readyState === 'complete' && (window.statprof !== undefined || document.getElementById('message')?.hidden === false)"):
            if time.monotonic() > begin + 60:
                raise RuntimeError(f"the page did not open; {self.problems}")
            time.sleep(0.02)
        self.settle()
        return time.monotonic() - begin

    def js(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, replMode=True,
                           allowUnsafeEvalBlockedByCSP=False)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise RuntimeError(f"{expression}: {details.get('exception', {}).get('description', details)}")
        return result["result"].get("value")

    def settle(self):
        """Waits for what is drawn with the next frames."""
        self.js("await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 0))))")

    def mouse(self, kind, x, y, buttons=0):
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left" if kind != "mouseMoved" or buttons else "none",
                  buttons=buttons, clickCount=1)

    def click(self, x, y):
        self.mouse("mouseMoved", x, y)
        self.mouse("mousePressed", x, y, 1)
        self.mouse("mouseReleased", x, y)
        self.settle()

    def click_on(self, selector):
        """Clicks in the middle of an element, after scrolling to it."""
        box = self.js(f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center'}});"
                      "const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()")
        self.click(*box)

    def drag(self, x1, x2, y):
        self.mouse("mouseMoved", x1, y)
        self.mouse("mousePressed", x1, y, 1)
        for part in (0.3, 0.7, 1):
            self.mouse("mouseMoved", x1 + (x2 - x1) * part, y, 1)
        self.mouse("mouseReleased", x2, y)
        self.settle()

    def swipe(self, x1, x2, y):
        """The same with a finger."""
        def touch(kind, *points):
            self.call("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": x, "y": y} for x in points])
        touch("touchStart", x1)
        for part in (0.2, 0.5, 0.8, 1):
            touch("touchMove", x1 + (x2 - x1) * part)
        touch("touchEnd")
        self.settle()

    KEYS = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Enter": 13, "Escape": 27, "Backspace": 8, "Home": 36,
            "End": 35, "Tab": 9, "/": 191}

    def key(self, name, shift=False):
        facts = {"key": name, "code": name if len(name) > 1 else "Slash", "windowsVirtualKeyCode": self.KEYS[name], "modifiers": 8 if shift else 0}
        if len(name) == 1 or name == "Enter":
            facts["text"] = "\r" if name == "Enter" else name
        self.call("Input.dispatchKeyEvent", type="keyDown", **facts)
        self.call("Input.dispatchKeyEvent", type="keyUp", **{key: value for key, value in facts.items() if key != "text"})
        self.settle()

    def type(self, text):
        self.call("Input.insertText", text=text)
        self.settle()

    def screen(self, width, height, ratio=1, phone=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=ratio, mobile=phone)
        self.call("Emulation.setTouchEmulationEnabled", enabled=phone)
        self.settle()

    def scheme(self, name):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])
        self.settle()

    def screenshot(self, path, whole=False):
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        with open(path, "wb") as file:
            file.write(base64.b64decode(data["data"]))

    def pdf(self):
        return base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"])

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
