import type { Failure } from "./api";

/** See api.ts. */
export class EcorError extends Error {
  override readonly name = "EcorError";

  constructor(
    readonly kind: Failure,
    message: string,
  ) {
    super(message);
  }
}
