
window.$docsify = {
  name: "Ablation plans",
  homepage: "trajectories.md",
  loadSidebar: true,
  alias: { "/.*/_sidebar.md": "/_sidebar.md" },
  executeScript: false,
  subMaxLevel: 1,
};
