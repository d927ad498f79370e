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

  constructor(private readonly onPhoto: (file: File) => void) {}

  async open(): Promise<void> {
    this.problem.textContent = "";
    this.stop();
    this.sheet.open();
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1920 } }, audio: false });
      this.stream = stream;
      if (!this.sheet.isOpen) {
        return this.stop();
      }
      this.video.srcObject = stream;
      await this.video.play();
      this.shutter.disabled = false;
      this.shutter.focus();
    } catch (e) {
      this.problem.textContent = strings.camera.refused((e as Error).name);
    }
  }

  private async take(): Promise<void> {
    const { videoWidth: width, videoHeight: height } = this.video;
    const canvas = make("canvas", { width, height });
    canvas.getContext("2d")?.drawImage(this.video, 0, 0);
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
    if (!blob) {
      this.problem.textContent = strings.camera.noPicture;
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
