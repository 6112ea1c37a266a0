// What HTML cannot do by itself: shortcuts, copying, theme, local times, menus that close. Everything is delegated
// from the document, so parts that htmx swaps in need no set-up.
(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const say = (text) => { const live = one("#said"); if (live) live.textContent = text; };

  // Theme ------------------------------------------------------------------------------------------------------
  const dark = () => {
    const set = document.documentElement.dataset.theme;
    return set ? set === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const turn = () => {
    const theme = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    try { localStorage.setItem("holdfast.theme", theme); } catch { /* it then lasts for this page */ }
    document.dispatchEvent(new Event("holdfast:theme"));
    say(`${theme} theme`);
  };

  // Times ------------------------------------------------------------------------------------------------------
  const ago = (at) => {
    const gap = Date.now() - at, size = Math.abs(gap), minutes = Math.round(size / 60000);
    if (size < 45000) return gap >= 0 ? "just now" : "in a moment";
    const words = minutes < 60 ? `${Math.max(minutes, 1)} min`
      : minutes < 2880 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1440)} days`;
    return gap > 0 ? `${words} ago` : `in ${words}`;
  };
  const times = () => {
    for (const time of all("time[data-local]:not([data-told])")) {
      const at = new Date(time.dateTime);
      time.title = `${at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" })} your time · ${time.title}`;
      time.dataset.told = "";
    }
    for (const time of all("time[data-relative]")) {
      const words = ago(Date.parse(time.dateTime));
      if (time.textContent !== words) time.textContent = words;
    }
  };

  // Copying ----------------------------------------------------------------------------------------------------
  const copy = async (button) => {
    const source = button.dataset.copy ? button.dataset.copy : one("pre", button.closest(".code"))?.textContent;
    try {
      await navigator.clipboard.writeText((source || "").trim());
      say("Copied");
      button.classList.add("on");
      setTimeout(() => button.classList.remove("on"), 1200);
    } catch {
      const text = one("pre", button.closest(".code") || document);
      if (text) getSelection().selectAllChildren(text);
      say("Copying is not allowed here; the text is selected");
    }
  };

  // Menus and the rail -----------------------------------------------------------------------------------------
  const closeMenus = (except) => all("details.menu[open]").forEach((menu) => { if (menu !== except) menu.open = false; });
  const rail = (open) => {
    one("#rail")?.classList.toggle("open", open);
    one("[data-act='rail']")?.setAttribute("aria-expanded", String(open));
    if (open) one("#rail a")?.focus();
  };
  const acts = {
    theme: turn,
    copy,
    rail: () => rail(!one("#rail").classList.contains("open")),
    flip: (button) => one(button.dataset.target)?.classList.toggle("flipped"),
    dialog: (button) => document.getElementById(button.dataset.dialog)?.showModal(),
    close: (button) => button.closest("dialog")?.close(),
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act]");
    if (button) acts[button.dataset.act]?.(button);
    closeMenus(event.target.closest("details.menu"));
    if (!event.target.closest("#rail, [data-act='rail']")) rail(false);
    if (event.target.matches("dialog.dialog")) event.target.close();
    const row = event.target.closest("tr[data-row]");
    if (row && !event.target.closest("a, button, input, label, summary") && !String(getSelection())) {
      const link = one("a.row-link", row);
      if (event.ctrlKey || event.metaKey) window.open(link.href); else link?.click();
    }
  });
  document.addEventListener("submit", (event) => {
    const words = event.target.dataset.ask;
    if (words && !confirm(words)) event.preventDefault();
  });
  document.addEventListener("input", (event) => {
    const box = event.target.closest("[data-filter]");
    if (!box) return;
    const wanted = box.value.trim().toLowerCase();
    let left = 0;
    for (const row of all(`${box.dataset.filter} [data-filterable]`)) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
      left += row.hidden ? 0 : 1;
    }
    say(`${left} shown`);
  });

  // Keyboard ---------------------------------------------------------------------------------------------------
  const typing = (target) => target.closest?.("input, textarea, select, [contenteditable]");
  const step = (by) => {
    const rows = all("[data-row]").filter((row) => row.offsetParent !== null);
    if (!rows.length) return;
    const now = rows.findIndex((row) => row.contains(document.activeElement));
    const next = rows[Math.min(Math.max(now + by, 0), rows.length - 1)];
    (next.matches("a") ? next : one("a.row-link, summary", next))?.focus();
    next.scrollIntoView({ block: "nearest" });
  };
  const keys = {
    "/": () => one("[data-search]")?.focus(),
    "?": () => one("#shortcuts")?.showModal(),
    j: () => step(1),
    k: () => step(-1),
  };
  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const menu = document.activeElement?.closest("details.menu[open]");
      if (menu) one("summary", menu).focus(); else if (typing(event.target)) event.target.blur();
      closeMenus(null);
      rail(false);
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || one("dialog[open]")) return;
    const went = going && Date.now() - going < 1500 && one(`[data-go="${CSS.escape(event.key)}"]`);
    going = event.key === "g" && !went ? Date.now() : 0;
    const act = went ? () => went.click() : keys[event.key] || (() => one(`[data-key="${CSS.escape(event.key)}"]`)?.click());
    if (went || keys[event.key] || one(`[data-key="${CSS.escape(event.key)}"]`)) {
      event.preventDefault();
      act();
    }
  });

  // htmx: no polling on a page that nobody sees; charts narrow the time range ----------------------------------
  document.addEventListener("htmx:config:request", (event) => {
    const source = event.detail?.ctx?.sourceElement;
    if (source?.hasAttribute?.("data-tail") && document.hidden) event.preventDefault();
  });
  document.addEventListener("htmx:after:swap", () => {
    times();
    for (const list of all("[data-most]")) while (list.children.length > Number(list.dataset.most)) list.lastElementChild.remove();
  });
  document.addEventListener("range", (event) => {
    const here = new URL(location.href);
    const iso = (seconds) => new Date(seconds * 1000).toISOString().replace(".000", "");
    here.searchParams.delete("range");
    here.searchParams.set("from", iso(event.detail.from));
    here.searchParams.set("to", iso(event.detail.to));
    location.assign(here);
  });

  times();
  setInterval(times, 30000);
})();
