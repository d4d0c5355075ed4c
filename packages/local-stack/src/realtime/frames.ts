/**
 * Wire frames of Supabase Realtime. Protocol 1.0.0 sends objects, 2.0.0 sends arrays, and in 2.0.0 a client's
 * broadcast is a binary frame (kind 3) that reaches the other clients as kind 4.
 */
export type ProtocolVersion = "1.0.0" | "2.0.0";

export interface Frame {
  joinRef: string | null;
  ref: string | null;
  topic: string;
  event: string;
  payload: unknown;
}

/** A broadcast whose payload was never parsed: the server forwards the bytes it got. */
export interface RawBroadcast {
  kind: "raw";
  event: string;
  encoding: "json" | "binary";
  body: Buffer;
  meta?: Record<string, unknown>;
}

/** A broadcast that came as a text frame or over REST. */
export interface JsonBroadcast {
  kind: "json";
  payload: Record<string, unknown>;
}

export type Broadcast = RawBroadcast | JsonBroadcast;

export class FrameError extends Error {}

const KIND_BROADCAST_PUSH = 3;
const KIND_BROADCAST = 4;
const JSON_ENCODING = 1;
const BINARY_ENCODING = 0;
const MAX_HEADER_FIELD = 255;

export function isProtocolVersion(value: string): value is ProtocolVersion {
  return value === "1.0.0" || value === "2.0.0";
}

export function decodeText(version: ProtocolVersion, text: string): Frame {
  const parsed = parseJson(text);
  return version === "2.0.0" ? frameFromArray(parsed) : frameFromObject(parsed);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FrameError("The frame is not JSON.", { cause });
  }
}

function frameFromArray(parsed: unknown): Frame {
  if (!Array.isArray(parsed) || parsed.length < 5) throw new FrameError("Expected an array of five elements.");
  const [joinRef, ref, topic, event, payload] = parsed;
  return checkedFrame(joinRef, ref, topic, event, payload);
}

function frameFromObject(parsed: unknown): Frame {
  if (typeof parsed !== "object" || parsed === null) throw new FrameError("Expected an object.");
  const { join_ref, ref, topic, event, payload } = parsed as Record<string, unknown>;
  return checkedFrame(join_ref, ref, topic, event, payload);
}

function checkedFrame(joinRef: unknown, ref: unknown, topic: unknown, event: unknown, payload: unknown): Frame {
  if (typeof topic !== "string" || typeof event !== "string") {
    throw new FrameError("Topic and event must be strings.");
  }
  return { joinRef: refText(joinRef), ref: refText(ref), topic, event, payload };
}

function refText(ref: unknown): string | null {
  return ref === null || ref === undefined ? null : String(ref);
}

/** A kind 3 frame becomes an ordinary `broadcast` frame that carries the undecoded payload. */
export function decodeBinary(data: Buffer): Frame {
  if (data[0] !== KIND_BROADCAST_PUSH) throw new FrameError(`Unknown binary frame of kind ${data[0]}.`);
  const sizes = [...data.subarray(1, 6)];
  const encoding = data[6];
  let offset = 7;
  const [joinRef, ref, topic, event, meta] = sizes.map((size) => {
    const text = data.toString("utf8", offset, offset + size);
    offset += size;
    return text;
  });
  if (offset > data.length || sizes.length < 5 || topic === undefined || event === undefined) {
    throw new FrameError("The binary frame is cut short.");
  }
  const broadcast: RawBroadcast = {
    kind: "raw",
    event,
    encoding: encoding === BINARY_ENCODING ? "binary" : "json",
    body: data.subarray(offset),
    ...(meta ? { meta: parseJson(meta) as Record<string, unknown> } : {}),
  };
  return { joinRef: joinRef || null, ref: ref || null, topic, event: "broadcast", payload: broadcast };
}

export function isRawBroadcast(payload: unknown): payload is RawBroadcast {
  return typeof payload === "object" && payload !== null && (payload as RawBroadcast).kind === "raw";
}

export function encodeFrame(version: ProtocolVersion, frame: Frame): string {
  return encodeSerialized(version, frame, JSON.stringify(frame.payload));
}

/** For payloads that are serialised once and sent to many sockets. */
export function encodeSerialized(version: ProtocolVersion, frame: Omit<Frame, "payload">, payload: string): string {
  const topic = JSON.stringify(frame.topic);
  const event = JSON.stringify(frame.event);
  const joinRef = JSON.stringify(frame.joinRef);
  const ref = JSON.stringify(frame.ref);
  return version === "2.0.0"
    ? `[${joinRef},${ref},${topic},${event},${payload}]`
    : `{"topic":${topic},"event":${event},"payload":${payload},"ref":${ref},"join_ref":${joinRef}}`;
}

/** Null when the protocol cannot carry it: 1.0.0 knows no binary payloads. */
export function encodeBroadcast(version: ProtocolVersion, topic: string, broadcast: Broadcast): string | Buffer | null {
  const head = { joinRef: null, ref: null, topic, event: "broadcast" };
  if (broadcast.kind === "json") return encodeFrame(version, { ...head, payload: broadcast.payload });
  if (version === "2.0.0") return encodeRawBroadcast(topic, broadcast);
  if (broadcast.encoding === "binary") return null;
  const meta = broadcast.meta ? `,"meta":${JSON.stringify(broadcast.meta)}` : "";
  const payload = `{"type":"broadcast","event":${JSON.stringify(broadcast.event)},"payload":${broadcast.body}${meta}}`;
  return encodeSerialized(version, head, payload);
}

function encodeRawBroadcast(topic: string, broadcast: RawBroadcast): Buffer {
  const fields = [topic, broadcast.event, broadcast.meta ? JSON.stringify(broadcast.meta) : ""].map((text) =>
    Buffer.from(text, "utf8"),
  );
  const tooLong = fields.find((field) => field.length > MAX_HEADER_FIELD);
  if (tooLong) throw new FrameError(`A header field holds ${tooLong.length} bytes; ${MAX_HEADER_FIELD} are allowed.`);
  const encoding = broadcast.encoding === "json" ? JSON_ENCODING : BINARY_ENCODING;
  const header = Buffer.from([KIND_BROADCAST, ...fields.map((field) => field.length), encoding]);
  return Buffer.concat([header, ...fields, broadcast.body]);
}
