// The stage as large as the screen, with its bullets. Where only the picture
// itself may fill the screen (iPhones) the stage fills the page instead: the
// system's player shows no bullets.

export class Fullscreen {
  constructor(private readonly stage: HTMLElement) {
    document.addEventListener("keydown", (e) => {
      if (e.key === "Escape" && this.filled && !e.defaultPrevented) this.fill(false);
    });
  }

  get on(): boolean {
    return document.fullscreenElement === this.stage || this.filled;
  }

  toggle(): void {
    if (document.fullscreenElement) void document.exitFullscreen();
    else if (this.filled) this.fill(false);
    else if (this.stage.requestFullscreen) void this.stage.requestFullscreen().catch(() => this.fill(true));
    else this.fill(true);
  }

  private get filled(): boolean {
    return this.stage.classList.contains("filled");
  }

  private fill(on: boolean): void {
    this.stage.classList.toggle("filled", on);
    document.documentElement.classList.toggle("has-filled", on);
  }
}
