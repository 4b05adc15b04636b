package main

import (
	"fmt"
	"math/big"
	"sort"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// build makes a value of type t out of plain Go values; what a map does not name is null.
func build(t tftypes.Type, v any) tftypes.Value {
	if v == nil {
		return tftypes.NewValue(t, nil)
	}
	switch {
	case t.Is(tftypes.Object{}):
		given := v.(map[string]any)
		attributes := t.(tftypes.Object).AttributeTypes
		for name := range given {
			check(attributes[name] != nil, "the schema has no attribute %s", name)
		}
		out := map[string]tftypes.Value{}
		for name, at := range attributes {
			out[name] = build(at, given[name])
		}
		return tftypes.NewValue(t, out)
	case t.Is(tftypes.Map{}):
		out := map[string]tftypes.Value{}
		for name, element := range v.(map[string]any) {
			out[name] = build(t.(tftypes.Map).ElementType, element)
		}
		return tftypes.NewValue(t, out)
	case t.Is(tftypes.List{}):
		return tftypes.NewValue(t, elements(t.(tftypes.List).ElementType, v))
	case t.Is(tftypes.Set{}):
		return tftypes.NewValue(t, elements(t.(tftypes.Set).ElementType, v))
	}
	if n, ok := v.(int); ok {
		return tftypes.NewValue(t, big.NewFloat(float64(n)))
	}
	return tftypes.NewValue(t, v)
}

func elements(t tftypes.Type, v any) []tftypes.Value {
	var out []tftypes.Value
	for _, element := range v.([]any) {
		out = append(out, build(t, element))
	}
	return out
}

// propose is what Terraform proposes as the new state: what the configuration says; of the rest, what was there before
// if the provider computes it, or "unknown" where nothing was.
func propose(schema []*tfprotov6.SchemaAttribute, config, prior tftypes.Value) tftypes.Value {
	was := fields(prior)
	out := map[string]tftypes.Value{}
	given := fields(config)
	for _, a := range schema {
		c, p := given[a.Name], was[a.Name]
		if was == nil {
			p = tftypes.NewValue(a.ValueType(), nil)
		}
		nested := a.NestedType
		switch {
		case c.IsNull() && a.Computed && was == nil:
			c = tftypes.NewValue(a.ValueType(), tftypes.UnknownValue)
		case c.IsNull() && a.Computed:
			c = p
		case c.IsNull() || nested == nil:
		case nested.Nesting == tfprotov6.SchemaObjectNestingModeSingle:
			c = propose(nested.Attributes, c, p)
		case nested.Nesting == tfprotov6.SchemaObjectNestingModeList:
			c = tftypes.NewValue(c.Type(), proposeList(nested.Attributes, c, p))
		}
		out[a.Name] = c
	}
	return tftypes.NewValue(config.Type(), out)
}

func proposeList(schema []*tfprotov6.SchemaAttribute, config, prior tftypes.Value) []tftypes.Value {
	var now, was, out []tftypes.Value
	ok(config.As(&now))
	if !prior.IsNull() && prior.IsKnown() {
		ok(prior.As(&was))
	}
	for i, c := range now {
		p := tftypes.NewValue(c.Type(), nil)
		if i < len(was) {
			p = was[i]
		}
		out = append(out, propose(schema, c, p))
	}
	return out
}

func fields(v tftypes.Value) map[string]tftypes.Value {
	if v.IsNull() || !v.IsKnown() {
		return nil
	}
	out := map[string]tftypes.Value{}
	ok(v.As(&out))
	return out
}

// text is a field's value as text, following names into objects.
func text(v tftypes.Value, names ...string) string {
	for _, name := range names {
		v = fields(v)[name]
	}
	var s string
	if !v.IsNull() && v.IsKnown() && v.Type().Is(tftypes.String) {
		ok(v.As(&s))
		return s
	}
	var n big.Float
	if !v.IsNull() && v.IsKnown() && v.Type().Is(tftypes.Number) {
		ok(v.As(&n))
		return n.Text('f', 0)
	}
	return ""
}

// differences names the paths at which two values differ, but those in skip.
func differences(a, b tftypes.Value, skip map[string]bool) []string {
	diffs, err := a.Diff(b)
	ok(err)
	seen := map[string]bool{}
	for _, d := range diffs {
		path := d.Path.String()
		leaf := d.Value1 != nil && !d.Value1.Type().Is(tftypes.Object{}) && !d.Value1.Type().Is(tftypes.List{})
		if leaf && !skip[path] {
			seen[fmt.Sprintf("%s: %v -> %v", path, d.Value1, d.Value2)] = true
		}
	}
	var out []string
	for s := range seen {
		out = append(out, s)
	}
	sort.Strings(out)
	return out
}
