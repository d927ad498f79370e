/** Events without DOM. */

export class Events<Map extends object> {
  private readonly listeners: { [K in keyof Map]?: Set<(value: Map[K]) => void> } = {};

  /** Calls listener for every event of a kind until the returned function is called. */
  on<K extends keyof Map>(kind: K, listener: (value: Map[K]) => void): () => void {
    const set = (this.listeners[kind] ??= new Set());
    set.add(listener);
    return () => set.delete(listener);
  }

  emit<K extends keyof Map>(kind: K, value: Map[K]): void {
    for (const listener of [...(this.listeners[kind] ?? [])]) {
      listener(value);
    }
  }
}
