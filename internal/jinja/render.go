package jinja

func (n textNode) render(s *state) { s.write(n.line, n.text, true) }

func (n printNode) render(s *state) {
	value := s.need(n.line, n.value.eval(s))
	s.write(n.line, s.text1(n.line, value), false)
}

func (n ifNode) render(s *state) {
	for _, b := range n {
		if b.condition == nil || s.truth(b.condition) {
			renderAll(s, b.body)
			return
		}
	}
}

func renderAll(s *state, nodes []node) {
	for _, n := range nodes {
		n.render(s)
	}
}

func (n setNode) render(s *state) { s.scopes[len(s.scopes)-1][n.name] = n.value.eval(s) }

func (n forNode) render(s *state) {
	items := s.items(n.line, n.list.eval(s))
	if n.only != nil {
		items = n.filter(s, items)
	}
	if len(items) == 0 {
		renderAll(s, n.none)
		return
	}
	for i, value := range items {
		n.bind(s, value)
		s.scopes[len(s.scopes)-1]["loop"] = map[string]any{
			"index": int64(i + 1), "index0": int64(i), "length": int64(len(items)), "first": i == 0,
			"last": i == len(items)-1, "revindex": int64(len(items) - i), "revindex0": int64(len(items) - i - 1),
		}
		renderAll(s, n.body)
		s.leave()
	}
}

// filter returns the items that the loop is for.
func (n forNode) filter(s *state, items []any) []any {
	var kept []any
	for _, value := range items {
		n.bind(s, value)
		if s.truth(n.only) {
			kept = append(kept, value)
		}
		s.leave()
	}
	return kept
}

// bind begins a scope with the loop's variables.
func (n forNode) bind(s *state, value any) {
	s.step(n.line)
	if len(s.scopes) > maxDepth {
		fail(n.line, "tags nest too deeply")
	}
	scope := map[string]any{}
	s.scopes = append(s.scopes, scope)
	if len(n.names) == 1 {
		scope[n.names[0]] = value
		return
	}
	values, ok := value.([]any)
	if !ok || len(values) != len(n.names) {
		fail(n.line, "the loop has %d variables, and its items are not lists of as many", len(n.names))
	}
	for i, name := range n.names {
		scope[name] = values[i]
	}
}

func (s *state) leave() { s.scopes = s.scopes[:len(s.scopes)-1] }
