"""Networks drawn as graphs: boxes, blocks and edges, written as DOT, Mermaid or SVG."""
