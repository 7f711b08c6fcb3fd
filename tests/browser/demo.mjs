// A running Andon and a browser for the tests of one file, and the page's complaints.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const ANDON = process.env.ANDON_BIN ?? fileURLToPath(new URL("../../target/debug/andon", import.meta.url));
export const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
export const QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
/** Longest wait for anything on a page: far more than it takes, also on a busy machine. */
export const DEADLINE = 240_000;

/** Who sits at the pages, unless a page is opened for a stranger: whoever changes something is asked for a name. */
export const PERSON = "Mara";

/** Asks again and again until the answer is a yes; for what the service says, as `waitForFunction` is for pages. */
export async function until(asked) {
  for (const end = performance.now() + DEADLINE; ; ) {
    const answer = await asked().catch((error) => (performance.now() < end ? null : Promise.reject(error)));
    if (answer) return answer;
    assert.ok(performance.now() < end, `not within ${DEADLINE / 1_000} s: ${asked}`);
    await setTimeout(200);
  }
}

/** Starts `andon demo` and Chromium. */
export const open = (...options) => start(["demo", "--listen", "127.0.0.1:0", ...options]);

/** Starts `andon run` with a plant file of the test's own, and Chromium. */
export async function run(plant) {
  const folder = await mkdtemp(join(tmpdir(), "andon-browser-"));
  await writeFile(join(folder, "plant.yaml"), plant);
  const running = await start(["run", join(folder, "plant.yaml"), "--data", join(folder, "data"), "--listen", "127.0.0.1:0"]);
  const close = async () => {
    await running.close();
    await rm(folder, { recursive: true, force: true });
  };
  return { ...running, close };
}

async function start(command) {
  assert.ok(CHROMIUM, "Chromium is missing; tests/run installs it");
  const service = spawn(ANDON, command, { stdio: ["ignore", "pipe", "pipe"] });
  const url = await new Promise((resolve, reject) => {
    let text = "";
    const read = (chunk) => {
      text += chunk;
      // With the slash behind it: what comes in two pieces may end within the port.
      const found = text.match(/(http:\/\/[0-9.:]+)\//);
      if (found) resolve(found[1]);
    };
    service.stdout.on("data", read);
    service.stderr.on("data", read);
    service.on("exit", (code) => reject(new Error(`${command[0]} ended with ${code}:\n${text}`)));
  });
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: QUIET });
  const problems = [];
  const newPage = async ({ stranger = false, ...more } = {}) => {
    const page = await browser.newPage({ viewport: { width: 1366, height: 768 }, ...more });
    if (!stranger) await page.addInitScript((kept) => localStorage.setItem("andon.person", kept), JSON.stringify({ name: PERSON, until: 1e15 }));
    page.setDefaultTimeout(DEADLINE);
    page.on("pageerror", (error) => problems.push(String(error)));
    page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
    return page;
  };
  const get = async (path) => (await fetch(url + path)).json();
  const close = async () => {
    await browser.close();
    if (service.exitCode !== null) return;
    const ended = new Promise((resolve) => service.on("exit", resolve));
    service.kill("SIGINT");
    await ended;
  };
  return { url, newPage, problems, get, close };
}
