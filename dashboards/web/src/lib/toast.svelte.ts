// Short messages about what a click did.
const SHOWN_MS = 5_000;
const MOST = 3;

class Toasts {
  list = $state.raw<{ id: number; message: string; bad: boolean }[]>([]);
  #next = 0;

  /** Says something for five seconds. */
  say(message: string, bad = false): void {
    const id = (this.#next += 1);
    this.list = [...this.list.slice(1 - MOST), { id, message, bad }];
    setTimeout(() => (this.list = this.list.filter((toast) => toast.id !== id)), bad ? SHOWN_MS * 2 : SHOWN_MS);
  }
}

export const toasts = new Toasts();
