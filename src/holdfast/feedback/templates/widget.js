/* Puts thumbs where a page says data-holdfast-feedback="<token>": a frame of Holdfast's own, which works without this script too. */
(() => {
  "use strict";
  const home = new URL(document.currentScript.src).origin;
  const fill = (place) => {
    if (place.dataset.holdfastFilled) return;
    place.dataset.holdfastFilled = "yes";
    const frame = document.createElement("iframe");
    frame.src = `${home}/f/${encodeURIComponent(place.dataset.holdfastFeedback)}/widget`;
    frame.title = place.dataset.holdfastTitle || "Feedback on this answer";
    frame.loading = "lazy";
    frame.referrerPolicy = "origin";
    frame.style.cssText = "border:0;width:100%;height:9.5rem;color-scheme:normal";
    place.append(frame);
  };
  const every = (root) => root.querySelectorAll("[data-holdfast-feedback]").forEach(fill);
  every(document);
  new MutationObserver((changes) => {
    for (const change of changes) for (const node of change.addedNodes)
      if (node.nodeType === 1) { if (node.matches("[data-holdfast-feedback]")) fill(node); every(node); }
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
