// A demo and a browser for the tests of one file, and the page's complaints.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const ANDON = process.env.ANDON_BIN ?? fileURLToPath(new URL("../../target/debug/andon", import.meta.url));
export const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
export const QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
/** Longest wait for anything on a page: far more than it takes, also on a busy machine. */
export const DEADLINE = 240_000;

/** Starts `andon demo` and Chromium. */
export async function open(...options) {
  assert.ok(CHROMIUM, "Chromium is missing; tests/run installs it");
  const demo = spawn(ANDON, ["demo", "--listen", "127.0.0.1:0", ...options], { stdio: ["ignore", "pipe", "pipe"] });
  const url = await new Promise((resolve, reject) => {
    let text = "";
    const read = (chunk) => {
      text += chunk;
      const found = text.match(/http:\/\/[0-9.:]+/);
      if (found) resolve(found[0]);
    };
    demo.stdout.on("data", read);
    demo.stderr.on("data", read);
    demo.on("exit", (code) => reject(new Error(`the demo ended with ${code}:\n${text}`)));
  });
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: QUIET });
  const problems = [];
  const newPage = async (more = {}) => {
    const page = await browser.newPage({ viewport: { width: 1366, height: 768 }, ...more });
    page.setDefaultTimeout(DEADLINE);
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
    return page;
  };
  const get = async (path) => (await fetch(url + path)).json();
  const close = async () => {
    await browser.close();
    if (demo.exitCode !== null) return;
    const ended = new Promise((resolve) => demo.on("exit", resolve));
    demo.kill("SIGINT");
    await ended;
  };
  return { url, newPage, problems, get, close };
}
