/** The panel that shows what left this device, and what is kept on it. */

import { onTraffic, requestsSinceLoad } from "../ecor";
import { button, make, throttle } from "../dom";
import type { Wiped } from "../review/types";
import * as strings from "../strings";
import { icon } from "./icons";
import { Sheet } from "./sheet";

const listed = 50; // requests

export interface PrivacyEvents {
  onKeepImages(keep: boolean): void;
  /** Deletes all that this browser keeps of ecor, and says what that was. */
  deleteAll(): Promise<Wiped>;
}

export class PrivacyPanel {
  /** Opens the panel, and says the most important figure. */
  readonly button = button({ id: "privacy-open", onclick: () => this.sheet.open() });
  private readonly figures = make("dl", { className: "facts", id: "traffic" });
  private readonly requests = make("ul", { className: "listed", tabIndex: 0, "aria-label": strings.privacy.latest });
  private readonly blocked = make("ul", { className: "listed", id: "blocked", tabIndex: 0, "aria-label": strings.privacy.latestBlocked });
  private readonly keep = make("input", { type: "checkbox", id: "keep-images", onchange: () => this.events.onKeepImages(this.keep.checked) });
  private readonly storage = make("p", { className: "hint", role: "status" });
  private readonly deletion = make("div", { id: "deletion" });
  private readonly sheet: Sheet;
  private offline = "";

  constructor(private readonly events: PrivacyEvents) {
    this.sheet = new Sheet("privacy", strings.privacy.title, [
      make("p", {}, strings.privacy.nothing),
      this.figures,
      make("p", { className: "hint" }, strings.privacy.measured, " ", strings.privacy.firstLoad),
      make("details", {}, make("summary", {}, strings.privacy.latest), this.requests),
      make("details", {}, make("summary", {}, strings.privacy.latestBlocked), this.blocked),
      make("p", {}, make("a", { href: strings.privacy.checkURL, target: "_blank", rel: "noopener" }, strings.privacy.check)),
      make("h3", {}, strings.privacy.storage),
      make("p", { className: "hint" }, strings.privacy.storageHint),
      make("label", { className: "check" }, this.keep, " ", strings.privacy.keepImages),
      this.storage,
      this.deletion,
    ]);
    this.offerDeletion();
    onTraffic(throttle(() => this.showTraffic(), 250));
    this.showTraffic();
  }

  /** Says how far the page is kept for offline use. */
  showOffline(text: string): void {
    this.offline = text;
    this.showTraffic();
  }

  set keepsImages(on: boolean) {
    this.keep.checked = on;
  }

  /** Says what cannot be kept, and why. */
  showStorage(text: string): void {
    this.storage.textContent = text;
  }

  private showTraffic(): void {
    const { network, device, foreign, requests, violations } = requestsSinceLoad();
    const rows: readonly (readonly [string, number | string])[] = [
      [strings.privacy.offline, this.offline],
      [strings.privacy.network, network],
      [strings.privacy.foreign, foreign],
      [strings.privacy.device, device],
      [strings.privacy.blocked, violations.length],
    ];
    this.figures.replaceChildren(...rows.flatMap(([name, n]) => [make("dt", {}, name), make("dd", {}, String(n))]));
    list(this.requests, requests.map((r) => strings.privacy.line(r.url, strings.privacy.from(r.from, r.network))));
    list(this.blocked, violations.map((v) => strings.privacy.line(v.blocked || v.directive, `${v.from}, ${v.directive}`)));
    this.button.dataset["alarm"] = String(foreign > 0);
    this.button.dataset["requests"] = String(network);
    this.button.replaceChildren(
      icon("shield"),
      make("span", {}, make("span", { className: "long" }, make("strong", {}, strings.privacy.button), " · "), strings.privacy.requests(network)),
    );
  }

  private offerDeletion(): void {
    const ask = button({ className: "danger", onclick: () => this.confirmDeletion() }, icon("trash"), strings.privacy.deleteAll);
    this.deletion.replaceChildren(make("p", { className: "hint" }, strings.privacy.deleteHint), make("div", { className: "row" }, ask));
  }

  private confirmDeletion(): void {
    const now = button({ className: "danger", id: "delete-now", onclick: () => void this.deleteNow() }, strings.privacy.deleteNow);
    const cancel = () => {
      this.offerDeletion();
      this.deletion.querySelector("button")?.focus();
    };
    const back = button({ onclick: cancel }, strings.common.cancel);
    this.deletion.replaceChildren(make("p", { role: "alert" }, strings.privacy.confirm), make("div", { className: "row" }, back, now));
    back.focus();
  }

  private async deleteNow(): Promise<void> {
    // From here on the page keeps nothing and knows nothing: all that is left is to load it anew.
    this.sheet.hold(true);
    this.keep.disabled = true;
    this.deletion.replaceChildren(make("p", { role: "status" }, strings.privacy.deleting));
    const { deleted, problems } = await this.events.deleteAll().catch((e: Error): Wiped => ({ deleted: [], problems: [e.message] }));
    const lines = deleted.filter((d) => d.count > 0).map((d) => make("li", {}, strings.privacy.deleted(d)));
    this.deletion.replaceChildren(
      make("h3", {}, strings.privacy.deletedTitle),
      lines.length > 0 ? make("ul", { className: "plain", id: "deleted" }, ...lines) : make("p", {}, strings.privacy.deletedNothing),
      ...(problems.length > 0 ? [make("p", { className: "error", role: "alert", id: "not-deleted" }, strings.privacy.notDeleted(problems))] : []),
      make("div", { className: "row" }, button({ className: "primary", onclick: () => location.reload() }, strings.privacy.reload)),
    );
    this.deletion.querySelector("button")?.focus();
  }
}

/** Shows the latest lines first. */
function list(element: HTMLElement, lines: readonly string[]): void {
  const latest = lines.slice(-listed).reverse();
  element.replaceChildren(...(latest.length > 0 ? latest : [strings.privacy.none]).map((line) => make("li", {}, line)));
}
