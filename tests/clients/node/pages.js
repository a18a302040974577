// Lists in pages; the SDK's own come in one piece.
const PAGE = 3;

const methods = {
  tools: "tools/list",
  prompts: "prompts/list",
  resources: "resources/list",
  resourceTemplates: "resources/templates/list",
};

// Answers the lists of a server; `lists` makes the entries of each. A cursor is
// the place of a page's first entry.
export function inPages(server, lists) {
  for (const [member, entries] of Object.entries(lists)) {
    server.setRequestHandler(methods[member], ({ params }) => {
      const from = Number(params?.cursor ?? 0);
      const all = entries();
      const to = from + PAGE;
      return { [member]: all.slice(from, to), ...(to < all.length && { nextCursor: String(to) }) };
    });
  }
}
