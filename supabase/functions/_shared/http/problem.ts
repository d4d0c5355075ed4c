/** RFC 9457: every refusal of every function has this shape. */
export interface Problem {
  /** A name to switch on; `type` is the same name as a URI. */
  code: string;
  title: string;
  status: number;
  detail: string;
  /** Seconds, sent as Retry-After. */
  retryAfter?: number;
  /** More members of the answer, snake_case. */
  extra?: Record<string, unknown>;
}

export class HttpProblem extends Error {
  readonly problem: Problem;

  constructor(problem: Problem, options: { cause?: unknown } = {}) {
    super(problem.detail, options);
    this.name = "HttpProblem";
    this.problem = problem;
  }
}

const TITLES: Record<number, string> = {
  400: "Bad request",
  401: "Not signed in",
  403: "Not allowed",
  404: "Not found",
  405: "Method not allowed",
  409: "Conflict",
  410: "Gone",
  413: "Too large",
  415: "Unsupported media type",
  422: "Invalid input",
  429: "Too many requests",
  500: "Internal error",
  503: "Not available",
};

export function problem(status: number, code: string, detail: string, more: Partial<Problem> = {}): HttpProblem {
  return new HttpProblem({ code, status, detail, title: TITLES[status] ?? "Error", ...more });
}

export function problemResponse(
  { code, title, status, detail, retryAfter, extra }: Problem,
  requestId: string,
  headers: Record<string, string>,
): Response {
  const type = `urn:problem-type:pipeline-crm:${code.replaceAll("_", "-")}`;
  const body = { type, title, status, detail, code, request_id: requestId, ...extra };
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      ...headers,
      "content-type": "application/problem+json",
      ...(retryAfter === undefined ? {} : { "retry-after": String(retryAfter) }),
    },
  });
}
