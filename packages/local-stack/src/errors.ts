/** What can go wrong while the stack starts or runs. The message is one sentence for the person at the terminal. */
export type StackErrorKind =
  | "bad_setting"
  | "port_taken"
  | "already_running"
  | "data_corrupt"
  | "data_version"
  | "server_failed"
  | "bootstrap_failed"
  | "migration_failed"
  | "rest_failed"
  | "not_running"
  | "missing_part";

export class StackError extends Error {
  readonly kind: StackErrorKind;

  constructor(kind: StackErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StackError";
    this.kind = kind;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
