package api

import (
	"reflect"
	"time"
)

// Public returns a copy of an answer for those who may only read: without the fields that
// have the tag `access:"changes"`, such as the last lines that a container has printed.
// What systemd shows everyone as the status of a unit stays.
func Public(answer any) any {
	if answer == nil {
		return nil
	}
	return public(reflect.ValueOf(answer)).Interface()
}

// public copies a value, and leaves the copy's private fields empty.
func public(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(public(v.Elem()))
		return out
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(public(v.Index(i)))
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for entry := v.MapRange(); entry.Next(); {
			out.SetMapIndex(entry.Key(), public(entry.Value()))
		}
		return out
	case reflect.Struct:
		return publicStruct(v)
	}
	return v
}

func publicStruct(v reflect.Value) reflect.Value {
	if v.Type() == reflect.TypeFor[time.Time]() {
		return v
	}
	out := reflect.New(v.Type()).Elem()
	for i := range v.NumField() {
		if field := v.Type().Field(i); field.IsExported() && !Private(field) {
			out.Field(i).Set(public(v.Field(i)))
		}
	}
	return out
}

// Private reports whether a field is shown only to those who may change something.
func Private(field reflect.StructField) bool { return Access(field.Tag.Get("access")) == Changes }
