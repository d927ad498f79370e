// Runs in the page before its own scripts: gives it the photo of PHOTO as soon
// as it listens, and keeps the milliseconds since the navigation began at which
// the model was ready, the photo was named and its answer was complete.
addEventListener("DOMContentLoaded", () => {
  const times = (globalThis.benchTimes = {});
  const bytes = Uint8Array.from(atob(PHOTO), (c) => c.charCodeAt(0));
  const files = new DataTransfer();
  files.items.add(new File([bytes], "photo.jpg", { type: "image/jpeg" }));
  new MutationObserver(() => {
    const { model } = document.body.dataset;
    const tile = document.querySelector(".tile");
    const state = tile?.dataset.state;
    if (model !== "loading") {
      times.model ??= performance.now();
    }
    if (tile?.textContent.includes("At first sight")) {
      times.name ??= performance.now();
    }
    if (model === "failed" || (state && state !== "waiting" && state !== "working")) {
      times.answer ??= performance.now();
      times.state ??= state ?? model;
    }
  }).observe(document.body, { subtree: true, childList: true, attributeFilter: ["data-model", "data-state"] });
  const picker = document.querySelector("#picker");
  picker.files = files.files;
  picker.dispatchEvent(new Event("change"));
});
