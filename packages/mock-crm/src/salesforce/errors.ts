import type { ContentfulStatusCode } from "hono/utils/http-status";

export interface RowError {
  statusCode: string;
  message: string;
  fields: string[];
}

/** A refusal in Salesforce's own words; the app turns it into the error array of the REST API. */
export class SalesforceError extends Error {
  readonly errorCode: string;
  readonly status: ContentfulStatusCode;
  readonly fields: string[] | undefined;

  constructor(errorCode: string, message: string, status: ContentfulStatusCode = 400, fields?: string[]) {
    super(message);
    this.name = "SalesforceError";
    this.errorCode = errorCode;
    this.status = status;
    this.fields = fields;
  }

  body(): { message: string; errorCode: string; fields?: string[] }[] {
    const { message, errorCode, fields } = this;
    return [fields === undefined ? { message, errorCode } : { message, errorCode, fields }];
  }

  /** The shape inside collection results, where the key is statusCode. */
  rowError(): RowError {
    return { statusCode: this.errorCode, message: this.message, fields: this.fields ?? [] };
  }
}

export function notFound(): SalesforceError {
  return new SalesforceError("NOT_FOUND", "The requested resource does not exist", 404);
}

export function malformedQuery(message: string): SalesforceError {
  return new SalesforceError("MALFORMED_QUERY", message);
}
