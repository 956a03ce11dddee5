-- mpv says where it is, in seconds, and how many frames it dropped.
mp.add_periodic_timer(0.1, function()
  local at = mp.get_property_number("time-pos")
  if at then
    local dropped = mp.get_property_number("frame-drop-count", 0) + mp.get_property_number("decoder-frame-drop-count", 0)
    io.write(string.format("position %.3f dropped %d\n", at, dropped))
    io.flush()
  end
end)
