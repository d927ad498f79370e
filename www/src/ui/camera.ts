/** Takes a photo with the device's camera. */

import { button, make } from "../dom";
import * as strings from "../strings";
import { icon } from "./icons";
import { Sheet } from "./sheet";

/** Whether the browser has cameras for pages at all. */
export function hasCamera(): boolean {
  return typeof (navigator.mediaDevices as MediaDevices | undefined)?.getUserMedia === "function";
}

export class Camera {
  private readonly video = make("video", { autoplay: true, muted: true, playsInline: true, "aria-label": strings.camera.view });
  private readonly problem = make("p", { className: "error", role: "alert" });
  private readonly shutter = button({ className: "primary", disabled: true, onclick: () => void this.take() }, icon("camera"), strings.camera.take);
  private readonly sheet = new Sheet("camera", strings.camera.title, [make("p", { className: "hint" }, strings.camera.hint), this.video, this.problem, this.shutter], () => this.stop());
  private stream: MediaStream | undefined;
  private opening = 0; // number of the latest

  constructor(private readonly onPhoto: (file: File) => void) {}

  async open(): Promise<void> {
    this.problem.textContent = "";
    this.stop();
    this.sheet.open();
    const opening = ++this.opening;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1920 } }, audio: false });
      if (!this.sheet.isOpen || opening !== this.opening) {
        return stream.getTracks().forEach((track) => track.stop());
      }
      this.stream = stream;
      this.video.srcObject = stream;
      await this.video.play();
      this.shutter.disabled = false;
      this.shutter.focus();
    } catch (e) {
      if (opening === this.opening) {
        this.problem.textContent = strings.camera.refused((e as Error).name);
      }
    }
  }

  private async take(): Promise<void> {
    const { videoWidth: width, videoHeight: height } = this.video;
    this.shutter.disabled = true;
    const canvas = make("canvas", { width, height });
    canvas.getContext("2d")?.drawImage(this.video, 0, 0);
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
    if (!blob) {
      this.problem.textContent = strings.camera.noPicture;
      this.shutter.disabled = false;
      return;
    }
    this.onPhoto(new File([blob], strings.camera.fileName(new Date()), { type: blob.type, lastModified: Date.now() }));
    this.sheet.close();
  }

  /** Switches the camera off. */
  private stop(): void {
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = undefined;
    this.video.srcObject = null;
    this.shutter.disabled = true;
  }
}
