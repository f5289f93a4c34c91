// The review page in a real browser. Started by scripts/browser-trial.sh.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

const { chromium } = await import(process.env.PLAYWRIGHT);
const program = process.env.NARROWROOM_BIN;
const shots = process.env.SHOTS;
const home = mkdtempSync(join(tmpdir(), "narrowroom-browser-"));
const environment = { PATH: process.env.PATH, HOME: home, NO_COLOR: "1" };
// Every way in which markup of a bundle could become a script.
const planted = `"'></pre></textarea></title><script>document.documentElement.dataset.pwned="1"</script><img src=x onerror="document.documentElement.dataset.pwned='1'"><svg onload="document.documentElement.dataset.pwned='1'">`;
let browser;

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
});
after(async () => {
  await browser?.close();
  rmSync(home, { recursive: true, force: true });
});

function triage(bundle, name) {
  const runs = join(home, name);
  execFileSync(program, ["triage", bundle, "--no-model", "--json", "--runs", runs], { env: environment, stdio: ["ignore", "ignore", "inherit"] });
  const id = readdirSync(runs).find((entry) => !entry.startsWith("."));
  return { runs, id, dir: join(runs, id) };
}

// Starts a review; its address, and what it says when it ends.
async function review(run, ...more) {
  const child = spawn(program, ["review", run.id, "--json", "--runs", run.runs, ...more], { env: environment, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr.on("data", (text) => { said += text; });
  const ended = new Promise((resolve) => child.on("exit", (code) => resolve({ code, said: () => said })));
  const url = await new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (part) => {
      text += part;
      const found = /"url": "([^"]+)"/.exec(text);
      if (found) resolve(found[1]);
    });
    child.on("exit", () => reject(new Error("the review did not start: " + said)));
  });
  return { url, ended, stop: () => child.kill("SIGINT") };
}

async function open(url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (message) => { if (message.type() === "error") wrong.push(message.text()); });
  const outside = [];
  page.on("request", (request) => { if (!request.url().startsWith(new URL(url).origin)) outside.push(request.url()); });
  await page.goto(url);
  return { page, context, wrong, outside };
}

const claims = (page) => page.locator(".step").count();
const word = (page, at) => page.locator(".step .word").nth(at).textContent();
const said = (page) => page.locator("#said");

// Reads the claim that is shown to its end.
async function read(page) {
  // To the middle: the bar at the bottom covers what is just within the window.
  await page.locator(".panel:not([hidden]) .end").evaluate((end) => end.scrollIntoView({ block: "center" }));
  await page.locator('.step[aria-current="true"] .word').filter({ hasNotText: "not seen" }).waitFor();
}

test("a whole review by keyboard: refused, rejected with a reason, undone, approved, signed", async () => {
  const run = triage(join(process.env.BUNDLES, "multi-fault.tar.gz"), "whole");
  const served = await review(run);
  const { page, wrong, outside } = await open(served.url);
  const n = await claims(page);
  assert.ok(n >= 3);
  // The second claim was not shown: nothing about it can be decided by a client that skips the page.
  const early = await page.evaluate(async () => {
    const answer = await fetch(location.pathname + "act", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Sitting": document.querySelector('meta[name="sitting"]').content },
      body: JSON.stringify({ act: "accept", claim: "finding-2", version: 1 }),
    });
    return [answer.status, (await answer.json()).refused];
  });
  assert.equal(early[0], 409);
  assert.match(early[1], /to the end of its evidence/);
  // Approval is closed, and says why.
  await page.keyboard.press("s");
  await page.locator("#dialog-sign").waitFor();
  assert.ok(await page.locator('[value="approve"]').isDisabled());
  assert.match(await page.locator("#closed-why").textContent(), /not seen/);
  await page.keyboard.press("Escape");
  // Rejecting needs a reason.
  await read(page);
  await page.keyboard.press("r");
  await page.locator("#dialog-reject").waitFor();
  await page.locator('#dialog-reject [type="submit"]').click();
  await page.locator("#dialog-reject .wrong").filter({ hasText: "reason" }).waitFor();
  await page.keyboard.type("these lines are from yesterday");
  await page.locator("#reject-reason").fill("these lines are from yesterday");
  await page.locator('#dialog-reject [type="submit"]').click();
  await page.locator("#dialog-reject").waitFor({ state: "hidden" });
  assert.equal(await word(page, 0), "rejected");
  await page.keyboard.press("u");
  await page.locator(".step .word").nth(0).filter({ hasText: "seen" }).waitFor();
  // A comment that is a script is a comment.
  await page.keyboard.press("c");
  await page.locator("#comment-text").fill(planted);
  await page.locator('#dialog-comment [type="submit"]').click();
  await page.locator(".panel:not([hidden]) .comments li").filter({ hasText: "<script>" }).waitFor();
  for (let at = 0; at < n; at += 1) {
    await read(page);
    await page.keyboard.press("a");
    await page.locator(".step .word").nth(at).filter({ hasText: "accepted" }).waitFor();
  }
  assert.match(await page.locator("#standing").textContent(), /ready to sign/);
  await page.keyboard.press("?");
  await page.locator("#dialog-help").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("s");
  await page.locator('[value="approve"]').click();
  await page.locator("#dialog-sign .wrong").filter({ hasText: "name" }).waitFor();
  await page.locator("#sign-name").fill("A. Reviewer");
  await page.screenshot({ path: join(shots, "sign.png") });
  await page.locator('[value="approve"]').click();
  await page.locator("#dialog-signed").waitFor();
  assert.match(await page.locator("#reply-text").textContent(), /Kind regards\nA\. Reviewer/);
  await page.screenshot({ path: join(shots, "signed.png") });
  const end = await served.ended;
  assert.equal(end.code, 0, end.said());
  const kept = JSON.parse(readFileSync(join(run.dir, "review.json"), "utf8"));
  assert.equal(kept.state, "approved");
  assert.equal(kept.sign_offs[0].name, "A. Reviewer");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.pwned), undefined);
  // The refusals above are answers with a 4xx status, which the browser notes; nothing else went wrong.
  assert.deepEqual(wrong.filter((text) => !/status of 409/.test(text)), []);
  assert.deepEqual(outside, []);
  execFileSync(program, ["review", "--check", run.id, "--runs", run.runs], { env: environment });
});

// Plants markup in every value of a bundle that is not a word of the format itself.
function poison(bundle) {
  const tree = join(home, "poisoned-tree");
  mkdirSync(tree, { recursive: true });
  execFileSync("tar", ["xzf", bundle, "-C", tree]);
  const words = new Set(["kind", "apiVersion", "reason", "type", "phase", "status", "lastTimestamp", "startedAt", "finishedAt", "creationTimestamp", "restartPolicy", "time"]);
  const into = (value, key) => {
    if (Array.isArray(value)) return value.map((one) => into(one, key));
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, into(one, name)]));
    if (typeof value === "string" && !words.has(key) && !/^\d{4}-\d\d-\d\dT/.test(value)) return value + " " + planted;
    return value;
  };
  const walk = (dir) => {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (!entry.isFile()) continue;
      else if (entry.name.endsWith(".json")) writeFileSync(path, JSON.stringify(into(JSON.parse(readFileSync(path, "utf8")), ""), null, 2));
      else if (entry.name.endsWith(".log")) writeFileSync(path, readFileSync(path, "utf8").split("\n").map((line) => line && line + " " + planted).join("\n"));
    }
  };
  walk(tree);
  // A name of a file, too; and one that the unpacker leaves out.
  writeFileSync(join(tree, readdirSync(tree)[0], "<img src=x onerror=alert(1)>.log"), "ERROR " + planted + "\n");
  const packed = join(home, "</title><script>alert(1)<".replaceAll("/", "_") + ".tar.gz");
  execFileSync("tar", ["czf", packed, "-C", tree, ...readdirSync(tree)]);
  return packed;
}

test("markup planted in every field of a bundle stays text", async () => {
  const run = triage(poison(join(process.env.BUNDLES, "crashloop-bad-config.tar.gz")), "poisoned");
  const served = await review(run);
  const { page, outside } = await open(served.url);
  await page.waitForTimeout(500);
  const n = await claims(page);
  for (let at = 0; at < n; at += 1) {
    await read(page);
    await page.locator("details").evaluateAll((all) => all.forEach((one) => { one.open = true; }));
    await page.keyboard.press("j");
  }
  await page.screenshot({ path: join(shots, "planted.png") });
  // The control: the planted text is really there, as text.
  assert.match(await page.locator("main").evaluate((main) => main.textContent), /<script>document\.documentElement/);
  assert.equal(await page.evaluate(() => document.documentElement.dataset.pwned), undefined);
  assert.equal(await page.locator("img, svg, iframe, object, embed").count(), 0);
  assert.equal(await page.locator("script").count(), 1);
  // And were it markup, the policy would still stop it: no markup from scripts, no other script.
  const stopped = await page.evaluate(() => {
    try {
      document.body.insertAdjacentHTML("beforeend", "<p>x</p>");
      return "let through";
    } catch (error) {
      return error.name;
    }
  });
  assert.equal(stopped, "TypeError");
  assert.deepEqual(outside, []);
  // The report as a file of its own: the same.
  const file = await browser.newContext();
  const report = await file.newPage();
  await report.goto("file://" + join(run.dir, "report.html"));
  assert.equal(await report.evaluate(() => document.documentElement.dataset.pwned), undefined);
  assert.equal(await report.locator("img, svg, iframe, script").count(), 0);
  assert.match(await report.locator("main").evaluate((main) => main.textContent), /<script>document\.documentElement/);
  served.stop();
  assert.equal((await served.ended).code, 130);
});

test("another site can neither frame the page nor act on it", async () => {
  const run = triage(join(process.env.BUNDLES, "crashloop-bad-config.tar.gz"), "framed");
  const served = await review(run);
  const context = await browser.newContext();
  const page = await context.newPage();
  // A page of another origin on this machine, as a hostile site would be.
  await page.route("http://attacker.example/**", (route) => route.fulfill({
    contentType: "text/html",
    body: `<!doctype html><iframe id="f" src="${served.url}"></iframe><form id="g" method="post" enctype="text/plain" action="${served.url}act"><input name='{"act":"undo","x":"' value='"}'></form>`,
  }));
  await page.goto("http://attacker.example/");
  await page.waitForTimeout(500);
  const frame = page.frames().find((one) => one !== page.mainFrame());
  const inside = frame ? await frame.evaluate(() => document.body?.innerText ?? "").catch(() => "blocked") : "blocked";
  assert.ok(!/Accept/.test(inside), inside);
  const fetched = await page.evaluate(async (url) => {
    try {
      const answer = await fetch(url + "act", { method: "POST", mode: "no-cors", headers: { "Content-Type": "text/plain" }, body: '{"act":"undo"}' });
      return answer.type + " " + answer.status;
    } catch {
      return "failed";
    }
  }, served.url);
  assert.ok(["failed", "opaque 0"].includes(fetched), fetched);
  const kept = JSON.parse(readFileSync(join(run.dir, ".review.draft.json"), "utf8"));
  assert.deepEqual(kept.history.map((entry) => entry.what.event), ["opened"]);
  await context.close();
  served.stop();
  await served.ended;
});

test("the hypothesis comes before the findings", async () => {
  const run = triage(join(process.env.BUNDLES, "crashloop-bad-config.tar.gz"), "hypothesis");
  const served = await review(run, "--hypothesis-first");
  const { page } = await open(served.url);
  assert.equal(await claims(page), 0);
  await page.screenshot({ path: join(shots, "hypothesis.png") });
  await page.locator("#hypothesis-text").fill("a setting that cannot be read");
  await page.getByRole("button", { name: "Show the findings" }).click();
  await page.locator(".step").first().waitFor();
  const n = await claims(page);
  for (let at = 0; at < n; at += 1) {
    await read(page);
    await page.keyboard.press("a");
    await page.locator(".step .word").nth(at).filter({ hasText: "accepted" }).waitFor();
  }
  await page.keyboard.press("s");
  await page.locator("#sign-name").fill("A. Reviewer");
  await page.locator('[value="approve"]').click();
  await page.locator("#dialog-sign .wrong").filter({ hasText: "agrees" }).waitFor();
  await page.locator('[name="agreement"][value="partly"]').check();
  await page.locator('[value="approve"]').click();
  await page.locator("#dialog-signed").waitFor();
  assert.equal((await served.ended).code, 0);
  const kept = JSON.parse(readFileSync(join(run.dir, "review.json"), "utf8"));
  assert.equal(kept.sign_offs[0].agreement, "partly");
});

test("an edit through the form is verified again", async () => {
  const bundle = join(process.env.BUNDLES, "crashloop-bad-config.tar.gz");
  const run = triage(bundle, "edited");
  const served = await review(run, "--bundle", bundle);
  const { page } = await open(served.url);
  await read(page);
  await page.keyboard.press("e");
  const form = page.locator("#dialog-edit-finding-1");
  await form.waitFor();
  await form.locator('[data-field="root_cause"]').fill("The value 2O of CHECKOUT_DB_POOL_MAX is not a number.");
  await page.screenshot({ path: join(shots, "edit.png") });
  await form.locator('[type="submit"]').click();
  await form.locator(".wrong").filter({ hasText: "reason" }).waitFor();
  await form.locator('[data-field="reason"]').fill("says it in one sentence");
  await form.locator('[type="submit"]').click();
  await page.locator(".edited").filter({ hasText: "Version 2, edited by a person. The verifier let it through." }).waitFor({ timeout: 60000 });
  await page.screenshot({ path: join(shots, "edited.png"), fullPage: true });
  served.stop();
  await served.ended;
});

test("no width makes the page scroll sideways, in light and dark", async () => {
  for (const name of ["multi-fault", "logs-missing"]) {
    const run = triage(join(process.env.BUNDLES, name + ".tar.gz"), "widths-" + name);
    const served = await review(run);
    for (const colorScheme of ["light", "dark"]) {
      for (const width of [1280, 390]) {
        const { page, context } = await open(served.url, { viewport: { width, height: width === 390 ? 844 : 900 }, colorScheme });
        const n = await claims(page);
        for (let at = 0; at < n; at += 1) {
          const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
          assert.equal(over, 0, `${name} claim ${at} at ${width}: ${over} pixels too wide`);
          if (at === 0 || at === n - 1) {
            await page.screenshot({ path: join(shots, `${name}-${at}-${width}-${colorScheme}.png`) });
            await page.screenshot({ path: join(shots, `${name}-${at}-${width}-${colorScheme}-full.png`), fullPage: true });
          }
          await page.keyboard.press("j");
        }
        await context.close();
      }
    }
    served.stop();
    await served.ended;
  }
});

test("contrast is at least 4.5 to 1 in light and dark", async () => {
  const run = triage(join(process.env.BUNDLES, "multi-fault.tar.gz"), "contrast");
  const served = await review(run);
  for (const colorScheme of ["light", "dark"]) {
    const { page, context } = await open(served.url, { colorScheme });
    await read(page);
    await page.keyboard.press("a");
    await page.locator("details").evaluateAll((all) => all.forEach((one) => { one.open = true; }));
    const weak = await page.evaluate(() => {
      const parse = (text) => (text.match(/[\d.]+/g) || []).map(Number);
      const light = (c) => {
        const [r, g, b] = c.slice(0, 3).map((v) => { const s = v / 255; return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4; });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
          const c = parse(getComputedStyle(at).backgroundColor);
          if (c.length === 3 || c[3] > 0.99) return c;
        }
        return [255, 255, 255];
      };
      const found = [];
      const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) {
        const node = texts.currentNode;
        const element = node.parentElement;
        if (!node.textContent.trim() || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(element.tagName) || !element.getClientRects().length) continue;
        if (element.closest(".hear, [aria-disabled=true], :disabled")) continue;
        const [a, b] = [light(parse(getComputedStyle(element).color)), light(behind(element))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${element.className || element.tagName}: ${node.textContent.trim().slice(0, 40)}`);
      }
      return found;
    });
    assert.deepEqual(weak, [], colorScheme);
    await context.close();
  }
  served.stop();
  await served.ended;
});

test("the report prints: every part is on paper and nothing is cut", async () => {
  const run = triage(join(process.env.BUNDLES, "multi-fault.tar.gz"), "paper");
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto("file://" + join(run.dir, "report.html"));
  const pdf = await page.pdf({ path: join(shots, "report.pdf"), format: "A4", margin: { top: "14mm", bottom: "14mm", left: "14mm", right: "14mm" } });
  assert.ok(pdf.length > 10_000);
  await page.emulateMedia({ media: "print" });
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(over, 0);
  await context.close();
});

