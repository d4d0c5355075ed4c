import { randomUUID } from "node:crypto";
import type { ContentfulStatusCode } from "hono/utils/http-status";

export interface ErrorDetail {
  message: string;
  code?: string;
  in?: string;
  context?: Record<string, string[]>;
}

export interface BatchError {
  status: "error";
  category: string;
  subCategory?: string;
  message: string;
  context: Record<string, string[]>;
  errors: ErrorDetail[];
  links: Record<string, string>;
}

interface More {
  errors?: ErrorDetail[];
  context?: Record<string, string[]>;
  subCategory?: string;
}

/** A refusal in HubSpot's own words. */
export class HubSpotError extends Error {
  readonly status: ContentfulStatusCode;
  readonly category: string;
  readonly more: More;

  constructor(status: ContentfulStatusCode, category: string, message: string, more: More = {}) {
    super(message);
    this.name = "HubSpotError";
    this.status = status;
    this.category = category;
    this.more = more;
  }

  body() {
    const { message, category, more } = this;
    return { status: "error", message, correlationId: randomUUID(), category, ...more };
  }

  /** The shape inside a 207 answer. */
  batchError(context: Record<string, string[]>): BatchError {
    const { category, message, more } = this;
    return {
      status: "error",
      category,
      message,
      context: { ...more.context, ...context },
      errors: more.errors ?? [],
      links: {},
    };
  }
}

export function invalid(message: string, more: More = {}): HubSpotError {
  return new HubSpotError(400, "VALIDATION_ERROR", message, more);
}

export function objectNotFound(): HubSpotError {
  return new HubSpotError(404, "OBJECT_NOT_FOUND", "resource not found");
}

export interface PropertyFault {
  name: string;
  error: string;
  message: string;
}

/** HubSpot packs the faults as JSON text into the message, and lists them once more. */
export function invalidProperties(faults: readonly PropertyFault[]): HubSpotError {
  const packed = JSON.stringify(
    faults.map(({ name, error, message }) => ({
      isValid: false,
      message,
      error,
      name,
      localizedErrorMessage: message,
    })),
  );
  return invalid(`Property values were not valid: ${packed}`, {
    errors: faults.map(({ name, error, message }) => ({ message, code: error, context: { propertyName: [name] } })),
  });
}
