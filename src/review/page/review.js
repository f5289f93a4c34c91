"use strict";
(() => {
  const sitting = document.querySelector('meta[name="sitting"]').content;
  const base = location.pathname;
  const $ = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const said = $("#said");
  let state = null;
  let current = null;
  let over = false;
  let saidTimer = 0;

  function say(text, bad) {
    said.textContent = text;
    said.className = bad ? "said bad" : "said";
    said.hidden = false;
    clearTimeout(saidTimer);
    saidTimer = setTimeout(() => { said.hidden = true; }, bad ? 9000 : 4000);
  }

  async function send(act) {
    let answer;
    try {
      answer = await fetch(base + "act", {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Sitting": sitting },
        body: JSON.stringify(act),
        credentials: "omit",
        cache: "no-store",
      });
    } catch {
      return { refused: "the review is no longer running; start it again with: narrowroom review RUN" };
    }
    try {
      return await answer.json();
    } catch {
      return { refused: "the answer could not be read" };
    }
  }

  const first = $("#hypothesis");
  if (first) {
    first.addEventListener("submit", async (event) => {
      event.preventDefault();
      const answer = await send({ act: "hypothesis", text: $("#hypothesis-text").value });
      if (answer.refused) say(answer.refused, true); else location.reload();
    });
    return;
  }

  const panels = all(".panel");
  const ids = panels.map((panel) => panel.id);
  const panelOf = (id) => panels[ids.indexOf(id)];
  const claimOf = (id) => state && state.claims.find((claim) => claim.id === id);

  // A claim is seen when the end of its evidence was on the screen.
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) saw(entry.target.closest(".panel"));
  }, { rootMargin: "0px 0px -60px 0px" });

  async function saw(panel) {
    const known = claimOf(panel.id);
    if (!known || known.seen || panel.hidden || document.visibilityState !== "visible") return;
    watch.unobserve($(".end", panel));
    const answer = await send({ act: "seen", claim: panel.id, version: Number(panel.dataset.version), shown: panel.dataset.shown });
    if (answer.refused) say(answer.refused, true); else take(answer);
  }

  function observe() {
    watch.disconnect();
    const known = claimOf(current);
    if (known && !known.seen) watch.observe($(".end", panelOf(current)));
  }

  function go(id, focus) {
    if (!ids.includes(id)) return;
    current = id;
    for (const panel of panels) panel.hidden = panel.id !== id;
    for (const step of all(".step")) {
      if (step.dataset.go === id) step.setAttribute("aria-current", "true"); else step.removeAttribute("aria-current");
    }
    history.replaceState(null, "", "#" + id);
    if (focus) {
      window.scrollTo(0, 0);
      $("h1", panelOf(id)).focus({ preventScroll: true });
    }
    buttons();
    observe();
  }

  function move(by) {
    const to = ids.indexOf(current) + by;
    if (to >= 0 && to < ids.length) go(ids[to], true);
  }

  const classes = { accepted: "good", rejected: "bad", "edit refused": "bad", "not verified": "warn" };

  function take(next) {
    if (next.signed) return ended(next);
    const stale = next.claims.some((claim) => Number(panelOf(claim.id).dataset.version) !== claim.version || panelOf(claim.id).dataset.shown !== claim.shown);
    if (stale) { location.reload(); return; }
    state = next;
    for (const claim of state.claims) {
      const step = $('.step[data-go="' + claim.id + '"]');
      step.className = "step " + (classes[claim.word] || "");
      $(".word", step).textContent = claim.word;
      const panel = panelOf(claim.id);
      const decision = $(".decision", panel);
      decision.className = "decision " + (classes[claim.word] || "");
      decision.textContent = !claim.decision ? "" : claim.decision === "accept" ? "Accepted." : "Rejected: " + claim.reason;
      const comments = $(".comments", panel);
      comments.replaceChildren(...claim.comments.map((text) => {
        const item = document.createElement("li");
        item.textContent = text;
        return item;
      }));
      comments.hidden = claim.comments.length === 0;
    }
    const decided = state.claims.filter((claim) => claim.decision).length;
    const standing = $("#standing");
    standing.textContent = decided + " of " + state.claims.length + " decided, " + (state.closed.length ? "approval closed" : "ready to sign");
    standing.className = "end state" + (state.closed.length ? "" : " good");
    $("#closed").hidden = state.closed.length === 0;
    list($("#closed-why"), state.closed);
    list($("#sign-claims"), state.claims.map((claim) => claim.title + ": " + claim.word));
    $('[value="approve"]').disabled = state.closed.length > 0;
    buttons();
    observe();
  }

  function list(element, texts) {
    element.replaceChildren(...texts.map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }));
  }

  function button(name, off) {
    const element = $('[data-do="' + name + '"]');
    // It stays reachable, and says why when it is used.
    element.setAttribute("aria-disabled", off ? "true" : "false");
  }

  function buttons() {
    if (!state || !current) return;
    const known = claimOf(current);
    button("previous", ids.indexOf(current) === 0);
    button("next", ids.indexOf(current) === ids.length - 1);
    button("accept", !known.seen || !known.verified);
    button("reject", !known.seen);
    button("edit", !known.seen);
    button("undo", !state.can_undo);
  }

  function open(name) {
    const dialog = $("#dialog-" + name);
    const wrong = $(".wrong", dialog);
    if (wrong) wrong.hidden = true;
    dialog.showModal();
    const field = $("textarea, input", dialog);
    if (field) field.focus();
  }

  const version = () => Number(panelOf(current).dataset.version);

  async function act(what, words) {
    const answer = await send(what);
    if (answer.refused) say(answer.refused, true);
    else { take(answer); say(words); }
    return !answer.refused;
  }

  const doing = {
    previous: () => move(-1),
    next: () => move(1),
    accept: async () => {
      if (await act({ act: "accept", claim: current, version: version() }, "Accepted.")) move(1);
    },
    reject: () => open("reject"),
    edit: () => {
      if (!claimOf(current).seen) say("Look at this claim to the end of its evidence first.", true);
      else open("edit-" + current);
    },
    comment: () => open("comment"),
    undo: () => act({ act: "undo" }, "Taken back; the history keeps it."),
    help: () => open("help"),
    sign: () => open("sign"),
  };

  for (const element of all("[data-do]")) element.addEventListener("click", () => { if (!over) doing[element.dataset.do](); });
  for (const element of all(".step")) element.addEventListener("click", () => go(element.dataset.go, true));
  for (const element of all("[data-close]")) element.addEventListener("click", () => element.closest("dialog").close());

  const keys = { j: "next", n: "next", ArrowRight: "next", k: "previous", p: "previous", ArrowLeft: "previous", a: "accept", r: "reject", e: "edit", c: "comment", u: "undo", s: "sign", "?": "help" };
  document.addEventListener("keydown", (event) => {
    if (over || event.ctrlKey || event.metaKey || event.altKey || !$("#keys-on").checked) return;
    if ($("dialog[open]") || event.target.closest("input, textarea, select, pre")) return;
    const name = keys[event.key];
    if (!name) return;
    event.preventDefault();
    doing[name]();
  });

  // An edit that was not touched is sent as what it was.
  const touched = (field) => field.value !== field.defaultValue;

  function rows(form, parts) {
    const kept = [];
    all("[data-row]", form).forEach((row, at) => {
      const fields = parts.map((part) => $('[data-part="' + part + '"]', row));
      if (!fields[0].value.trim()) return;
      if (fields.some(touched)) kept.push(Object.fromEntries(parts.map((part, n) => [part, fields[n].value])));
      else kept.push({ keep: at });
    });
    return kept;
  }

  function change(form) {
    const title = $('[data-field="title"]', form);
    if (!title) return { missing: rows(form, ["what", "why"]) };
    const cause = $('[data-field="root_cause"]', form);
    return {
      finding: {
        title: touched(title) ? title.value : null,
        root_cause: touched(cause) ? cause.value : null,
        evidence: all("[data-evidence]", form).filter((box) => box.checked).map((box) => Number(box.dataset.evidence)),
        commands: rows(form, ["command", "why"]),
      },
    };
  }

  function made(form, submitter) {
    const name = form.dataset.form;
    if (name === "reject") return [{ act: "reject", claim: current, version: version(), reason: $("#reject-reason").value }, "Rejected."];
    if (name === "comment") return [{ act: "comment", claim: current, text: $("#comment-text").value }, "Kept."];
    if (name.startsWith("edit-")) return [{ act: "edit", claim: current, version: version(), reason: $('[data-field="reason"]', form).value, change: change(form) }, "A new version was made."];
    if (name === "sign") {
      const chosen = $('[name="agreement"]:checked');
      return [{ act: submitter.value, name: $("#sign-name").value, note: $("#sign-note").value, agreement: chosen ? chosen.value : null }, "Signed."];
    }
    return null;
  }

  for (const form of all("form[data-form]")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const submitter = event.submitter || $("[type=submit]", form);
      const what = made(form, submitter);
      if (!what) { form.closest("dialog").close(); return; }
      const pressed = all("button", form);
      const off = pressed.map((one) => one.disabled);
      for (const one of pressed) one.disabled = true;
      const before = submitter.textContent;
      submitter.textContent = "One moment …";
      const answer = await send(what[0]);
      submitter.textContent = before;
      pressed.forEach((one, at) => { one.disabled = off[at]; });
      if (answer.refused) {
        const wrong = $(".wrong", form);
        wrong.textContent = answer.refused;
        wrong.hidden = false;
        return;
      }
      form.closest("dialog").close();
      form.reset();
      take(answer);
      if (!over) say(what[1]);
    });
  }

  function ended(answer) {
    over = true;
    const approved = answer.signed.outcome === "approved";
    for (const dialog of all("dialog[open]")) dialog.close();
    $("#signed-title").textContent = approved ? "Approved and signed" : "Rejected and signed";
    $("#signed-words").textContent = "By " + answer.signed.name + " at " + answer.signed.at + ".";
    const facts = $("#signed-facts");
    for (const [name, value] of [["What was shown", "sha256 " + answer.signed.digest], ["Key", answer.signed.key]]) {
      const term = document.createElement("dt");
      term.textContent = name;
      const text = document.createElement("dd");
      const code = document.createElement("code");
      code.textContent = value;
      text.append(code);
      facts.append(term, text);
    }
    if (answer.reply) {
      $("#reply").hidden = false;
      $("#reply-text").textContent = answer.reply;
      $("#reply-copy").addEventListener("click", () => {
        navigator.clipboard.writeText(answer.reply).then(() => { $("#reply-copy").textContent = "Copied"; });
      });
    }
    const standing = $("#standing");
    standing.textContent = approved ? "signed" : "rejected";
    standing.className = "end state " + (approved ? "good" : "bad");
    $("#dialog-signed").addEventListener("cancel", (event) => event.preventDefault());
    $("#dialog-signed").showModal();
    $("#signed-title").focus();
  }

  (async () => {
    const answer = await fetch(base + "state", { headers: { "X-Sitting": sitting }, credentials: "omit", cache: "no-store" }).then((got) => got.json()).catch(() => null);
    if (!answer || answer.refused) { say(answer ? answer.refused : "the review is no longer running", true); return; }
    take(answer);
    const wanted = location.hash.slice(1);
    go(ids.includes(wanted) ? wanted : ids[0], false);
  })();
})();
