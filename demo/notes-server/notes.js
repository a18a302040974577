// The tools, and the notes themselves: in memory, each user's own, and not too many.
import { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";

const MOST_USERS = 1_000;
const MOST_NOTES = 100;
const LONGEST_NOTE = 1_000;

// A factory of servers that share the notes: one for each legacy session and for
// each modern request.
export function createNotes() {
  const shelf = new Shelf();

  return () => {
    const server = new McpServer({ name: "notes", title: "Notes", version: "1.0.0" });

    server.registerTool(
      "add-note",
      {
        description: "Keep a note for the user",
        inputSchema: z.object({ text: z.string().min(1).max(LONGEST_NOTE) }),
        outputSchema: z.object({ notes: z.number() }),
      },
      ({ text }, { http }) => {
        const notes = shelf.of(http.authInfo);
        if (notes.length >= MOST_NOTES) return refusal(`there are ${MOST_NOTES} notes already, which is the most`);
        notes.push(text);
        return answer({ notes: notes.length });
      },
    );

    server.registerTool(
      "list-notes",
      { description: "The user's notes", outputSchema: z.object({ notes: z.array(z.string()) }) },
      ({ http }) => answer({ notes: shelf.of(http.authInfo) }),
    );

    server.registerTool(
      "whoami",
      {
        description: "Whose token this server received, and with which headers it came",
        outputSchema: z.object({ issuer: z.string(), subject: z.string(), headers: z.array(z.string()) }),
      },
      ({ http }) => answer({ ...http.authInfo.extra, headers: [...http.req.headers.keys()].sort() }),
    );

    return server;
  };
}

class Shelf {
  #notes = new Map();

  // The notes of a user; those of who was here least recently make room.
  of({ extra: { issuer, subject } }) {
    const user = JSON.stringify([issuer, subject]);
    const notes = this.#notes.get(user) ?? [];
    this.#notes.delete(user);
    this.#notes.set(user, notes);
    if (this.#notes.size > MOST_USERS) this.#notes.delete(this.#notes.keys().next().value);
    return notes;
  }
}

const answer = (content) => ({
  content: [{ type: "text", text: JSON.stringify(content) }],
  structuredContent: content,
});

const refusal = (text) => ({ isError: true, content: [{ type: "text", text }] });
